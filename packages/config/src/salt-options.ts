import { nearestName, shortened } from '@kvbm/core'

/** Who shares a block besides the model itself. */
export interface SaltOptions {
  /** Blocks of one tenant are invisible to others. */
  readonly tenant?: string | undefined
  /** Names of the adapters in use; their order does not matter. */
  readonly loras?: readonly string[] | undefined
  /** Ways of computing that must not share blocks with the usual one, e.g. `exact`; their order does not matter. */
  readonly flags?: readonly string[] | undefined
}

interface Kind {
  readonly what: string
  readonly fits: (value: unknown) => boolean
}

const TEXT: Kind = { what: 'a string', fits: isText }
const TEXTS: Kind = { what: 'an array of strings', fits: (value) => Array.isArray(value) && value.every(isText) }

const FIELDS: Readonly<Record<keyof SaltOptions, Kind>> = { tenant: TEXT, loras: TEXTS, flags: TEXTS }
const NAMES = Object.keys(FIELDS) as (keyof SaltOptions)[]
const NAME_CHARS_MAX = 64

/** Throws `TypeError` for whatever would pass unseen and so isolate nothing: a name not known, a value of another kind. */
export function checkSaltOptions(options: SaltOptions): void {
  if (kindOf(options) !== 'object') throw mistake('salt', "an object such as { tenant: 'acme' }", options)
  for (const name of Object.keys(options)) if (!Object.hasOwn(FIELDS, name)) throw unknownName(name)
  for (const name of NAMES) {
    const { what, fits } = FIELDS[name]
    if (options[name] !== undefined && !fits(options[name])) throw mistake(`salt.${name}`, what, options[name])
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

// The value stays out of the message: a tenant may be a secret.
function mistake(path: string, what: string, value: unknown): TypeError {
  return new TypeError(`${path}: expected ${what}, got ${kindOf(value)}, which would isolate nothing.`)
}

function unknownName(name: string): TypeError {
  const near = nearestName(name, NAMES)
  const remedy = near === undefined ? `Known names: ${NAMES.join(', ')}.` : `Did you mean ${near}?`
  return new TypeError(`salt.${shortened(name, NAME_CHARS_MAX)}: expected a known name. ${remedy}`)
}

/** `null`, `array`, `map` and the like; `object` only for a plain one or a class of the caller's. */
function kindOf(value: unknown): string {
  return Object.prototype.toString.call(value).slice('[object '.length, -1).toLowerCase()
}

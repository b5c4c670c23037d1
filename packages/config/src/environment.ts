import { BLOCKS_MAX, ConfigError, type ConfigIssue, nearestName } from '@kvbm/core'
import { isRecord } from './draft.js'
import { ENVIRONMENT_VARIABLES, type EnvironmentVariable, FOREIGN_VARIABLES } from './environment-variables.js'
import type { KvBlockManagerConfig } from './manager-config.js'
import { modelSchema } from './model-schema.js'
import { type ParseOptions, tryConfig } from './parse-config.js'
import { RECOMMENDED_PERCENT, recommendedBlocks } from './sizing.js'

/** Names and texts, as `process.env` has them. */
export type Environment = Readonly<Record<string, string | undefined>>

/** A variable that is set, with what its text means. */
interface Reading {
  readonly variable: EnvironmentVariable
  readonly text: string
  readonly value: unknown
}

type Plain = Record<string, unknown>

const MODEL_DEFAULTS = Object.freeze({ numLayers: 32, outerDim: 2, pageSize: 16 })
const INNER_DIM_DEFAULT = 4096
/** Its text is a memory and becomes a number of blocks: the rule of that number would not be understood. */
const MEMORY_VARIABLE = 'GPU_MEMORY_GB'
const MEMORY_RULE = `a number of GiB of which ${RECOMMENDED_PERCENT} % hold 1 to ${BLOCKS_MAX} blocks`
const DEVICE_MEMORY_DEFAULT: Environment = Object.freeze({ [MEMORY_VARIABLE]: '24' })

/**
 * A configuration from the variables of `ENVIRONMENT_VARIABLES`, which docs/configuration.md shows as a table. Throws one
 * `ConfigError` whose issues have the names of variables as paths: a text that cannot be read is never a default.
 */
export function configFromEnvironment(env: Environment = process.env, options?: ParseOptions): KvBlockManagerConfig {
  const set = readings(env)
  const bad = set.filter(({ value }) => value === undefined)
  const chosen = preferred(set.filter(({ value }) => value !== undefined))
  const { config, issues } = tryConfig(plainConfig(chosen), options, misspelt(env))
  if (config !== undefined && bad.length === 0) return config
  const others = issues.filter(({ path }) => !bad.some(({ variable }) => causes(variable.path, path)))
  throw new ConfigError([...bad.map(unreadableIssue), ...others.map((issue) => namingVariable(issue, chosen))])
}

function readings(env: Environment): readonly Reading[] {
  const read = (variable: EnvironmentVariable, text: string | undefined): Reading[] => {
    const value = text === undefined ? null : variable.reader.read(text)
    return value === null ? [] : [{ variable, text: text!, value }]
  }
  return ENVIRONMENT_VARIABLES.flatMap((variable) => read(variable, env[variable.name]))
}

function unreadableIssue({ variable, text }: Reading): ConfigIssue {
  const remedy = `Correct ${variable.name} or unset it; it sets ${variable.path}.`
  return { path: variable.name, value: text, rule: variable.reader.what, remedy }
}

/** What follows from a text that cannot be read is not worth a second issue: a size that cannot be read may be the only tier's. */
function causes(unread: string, path: string): boolean {
  return field(unread) === field(path) || (path === 'deviceLayout' && /\.size$/.test(field(unread)))
}

/** The size of a tier is one field, whether in blocks or in bytes. */
function field(path: string): string {
  return path.replace(/Layout\.(numBlocks|bytes)$/, 'Layout.size')
}

/** One reading per field: the one further up in the table. */
function preferred(set: readonly Reading[]): readonly Reading[] {
  const seen = new Set<string>()
  return set.filter(({ variable: { path } }) => !seen.has(field(path)) && seen.add(field(path)))
}

function plainConfig(chosen: readonly Reading[]): Plain {
  const config = nested(chosen)
  const heads = ['kvHeads', 'headDim'].some((field) => field in part(config, 'model'))
  const row = heads ? {} : { innerDim: INNER_DIM_DEFAULT }
  const model = { ...MODEL_DEFAULTS, ...row, ...part(config, 'model') }
  return { ...config, model, ...tiers(config, chosen, model) }
}

/** Values by path: `hostLayout.allocator.kind` stands in an object of an object. */
function nested(chosen: readonly Reading[]): Plain {
  const config: Plain = {}
  for (const { variable, value } of chosen) {
    const names = variable.path.split('.')
    let at = config
    for (const name of names.slice(0, -1)) at = at[name] = part(at, name)
    at[names.at(-1)!] = value
  }
  return config
}

function part(of: Plain, name: string): Plain {
  const found = of[name]
  return isRecord(found) ? found : {}
}

function tiers(config: Plain, chosen: readonly Reading[], model: Plain): Plain {
  const hostLayout = tier(part(config, 'hostLayout'), {})
  const diskLayout = tier(part(config, 'diskLayout'), { kind: 'disk' })
  const alone = hostLayout === undefined && diskLayout === undefined
  return { deviceLayout: deviceTier(part(config, 'deviceLayout'), chosen, model, alone), hostLayout, diskLayout }
}

/** A tier without a single variable, or of size 0, is not there. */
function tier(fields: Plain, allocator: Plain): Plain | undefined {
  const { numBlocks, bytes } = fields
  if (Object.keys(fields).length === 0 || numBlocks === 0 || (numBlocks === undefined && bytes === 0)) return undefined
  return 'allocator' in fields ? { ...fields, allocator: { ...allocator, ...part(fields, 'allocator') } } : fields
}

/** `GPU_MEMORY_GB` as blocks, 80 % of what fits; its default holds where no tier has a size. */
function deviceTier(fields: Plain, chosen: readonly Reading[], model: Plain, alone: boolean): Plain | undefined {
  const layout = tier(fields, { kind: 'device' })
  const given = chosen.find(({ variable }) => variable.name === MEMORY_VARIABLE)
  const unsized = alone && !('numBlocks' in fields || 'bytes' in fields)
  const memory = given ?? (unsized ? readings(DEVICE_MEMORY_DEFAULT)[0] : undefined)
  if (memory === undefined || memory.value === 0) return layout
  return { ...layout, numBlocks: deviceBlocks(Number(memory.value), model) }
}

// While the model is wrong no number is right; one block keeps the error about the model alone.
function deviceBlocks(bytes: number, model: Plain): number {
  const { success, data } = modelSchema.safeParse(model)
  return success ? recommendedBlocks(bytes, data) : 1
}

function namingVariable(issue: ConfigIssue, chosen: readonly Reading[]): ConfigIssue {
  if (issue.path === 'deviceLayout')
    return { ...issue, remedy: 'Give a tier a size, for example KVBM_HOST_BYTES=4GiB.' }
  const reading = chosen.find(({ variable }) => variable.path === issue.path)
  const variable = reading?.variable ?? ENVIRONMENT_VARIABLES.find(({ path }) => path === issue.path)
  if (variable === undefined) return issue
  const remedy = `Set ${variable.name}, which gives ${issue.path}. ${issue.remedy}`
  const rule = variable.name === MEMORY_VARIABLE ? MEMORY_RULE : issue.rule
  return { path: variable.name, value: reading?.text, rule, remedy }
}

/** Names of our prefix that nobody reads and that look like one of ours. */
function misspelt(env: Environment): readonly ConfigIssue[] {
  const known = [...ENVIRONMENT_VARIABLES.map(({ name }) => name), ...FOREIGN_VARIABLES]
  const unknown = Object.keys(env).filter((name) => name.startsWith('KVBM_') && !known.includes(name))
  return unknown.flatMap((name) => {
    const near = nearestName(name, known)
    if (near === undefined || FOREIGN_VARIABLES.includes(near)) return []
    return [{ path: name, value: env[name], rule: 'a known variable', remedy: `Did you mean ${near}?` }]
  })
}

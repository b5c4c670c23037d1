import { invalidArgument, TIMER_MS_MAX } from '@kvbm/core'

/** Limits of the manager. Every queue and wait has one; docs/architecture.md says where each acts. */
export interface ManagerSettings {
  /** Blocks waiting for background offload, per edge. Default 8192: two long prompts at 16 tokens a block. */
  readonly offloadQueueMax: number
  /** Background copies in flight, per edge. Default 4, as in the original. */
  readonly offloadConcurrency: number
  /** Blocks of one copy. Default 64: megabytes per job keep a disk busy. */
  readonly transferBatchMax: number
  /** Bytes of staging memory for blocks that pass from disk without room in the host tier. Default 16 MiB, at least one block. */
  readonly stagingBytes: number
  /** Longest wait for one copy, in milliseconds. Default 30,000. */
  readonly transferDeadlineMs: number
  /** Longest wait of `close()` for copies in flight, in milliseconds. Default 10,000. */
  readonly closeDeadlineMs: number
  /** First pause before a tier that failed is probed, in milliseconds; each further pause is twice as long. Default 1,000. */
  readonly probeDelayMs: number
  /** Longest pause between two probes, in milliseconds. Default 60,000: a disk is used again within a minute of working. */
  readonly probeDelayMaxMs: number
  /**
   * How long it counts that the files of the disk tier were seen in their directory, in milliseconds. Default 1,000: one look per
   * second of writing costs nothing, and what a removed directory takes along is a second's blocks.
   */
  readonly placeAgeMs: number
  /**
   * Between two looks of a process that reads a shared disk tier at what its writer stored and whether it is gone, in milliseconds, on
   * average. Default 1000: three small reads a second, and a dead writer is followed within two.
   */
  readonly readerDelayMs: number
  /** Fill blocks with 0xDD when they are handed out, so that a stale view shows it. Default: when NODE_ENV is `development`. */
  readonly poison: boolean
}

/** The bounds of a manager that was given none. `poison` depends on `NODE_ENV`: on in development only. */
export const DEFAULT_SETTINGS: Omit<ManagerSettings, 'poison'> = Object.freeze({
  offloadQueueMax: 8192,
  offloadConcurrency: 4,
  transferBatchMax: 64,
  stagingBytes: 16 * 2 ** 20,
  transferDeadlineMs: 30_000,
  closeDeadlineMs: 10_000,
  probeDelayMs: 1000,
  probeDelayMaxMs: 60_000,
  placeAgeMs: 1000,
  readerDelayMs: 1000,
})

type Limit = keyof typeof DEFAULT_SETTINGS

/** What may be 0: no background offload, no patience when closing, a look before every write. */
const LEAST: Readonly<Partial<Record<Limit, number>>> = { offloadQueueMax: 0, closeDeadlineMs: 0, placeAgeMs: 0 }
const MOST: Readonly<Partial<Record<Limit, number>>> = {
  transferDeadlineMs: TIMER_MS_MAX,
  closeDeadlineMs: TIMER_MS_MAX,
  probeDelayMs: TIMER_MS_MAX,
  probeDelayMaxMs: TIMER_MS_MAX,
  readerDelayMs: Math.floor(TIMER_MS_MAX / 2),
}

/** Completes settings. Throws `RangeError` for a value out of range and `TypeError` for a name that is none. */
export function resolveSettings(given: Partial<ManagerSettings> = {}): ManagerSettings {
  if (typeof given !== 'object' || given === null) throw invalidArgument('settings', 'an object, or nothing', given)
  const poison = given.poison ?? process.env.NODE_ENV === 'development'
  if (typeof poison !== 'boolean') throw invalidArgument('settings.poison', 'true or false', poison)
  for (const name of Object.keys(given)) if (name !== 'poison') expectLimit(name)
  const limits = Object.keys(DEFAULT_SETTINGS).map((name) => [name, limit(name as Limit, given)] as const)
  return Object.freeze({ ...(Object.fromEntries(limits) as Record<Limit, number>), poison })
}

function limit(name: Limit, given: Partial<ManagerSettings>): number {
  const value = given[name] ?? DEFAULT_SETTINGS[name]
  const [least, most] = [LEAST[name] ?? 1, MOST[name] ?? Number.MAX_SAFE_INTEGER]
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value
  throw invalidArgument(`settings.${name}`, `an integer from ${least} to ${most}`, value)
}

function expectLimit(name: string): void {
  if (name in DEFAULT_SETTINGS) return
  throw new TypeError(
    `settings.${name}: no such setting. There are: ${Object.keys(DEFAULT_SETTINGS).join(', ')}, poison.`,
  )
}

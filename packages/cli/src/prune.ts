import { parseBytes } from '@kvbm/config'
import type { CachedModel } from './cached-models.js'
import { defineCommand, type UsageErrorOf } from './command.js'
import { removeModels } from './remove-models.js'

const HELP = `Usage: kvbm prune DIR --keep SIZE | --older-than AGE [flags]

Removes whole models from a cache directory, the longest unused first. Shows its plan, and does it with --yes. A model that a
process has open stays.

  --keep SIZE        until at most so much is left, e.g. 10GiB, 500MB
  --older-than AGE   those that nobody used for so long, e.g. 7d, 12h, 30m, 45s
  --yes              remove, do not only show
  --json             as data
  --help             this text`

/** `kvbm prune` */
export const prune = defineCommand({
  name: 'prune',
  help: HELP,
  flags: {
    keep: { type: 'string' },
    'older-than': { type: 'string' },
    yes: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
  placesMax: 1,
  async run({ flags, places: [dir], usageError }) {
    if (dir === undefined) throw usageError('Give the directory of a cache.')
    const { keep, 'older-than': olderThan, yes, json } = flags
    if (keep === undefined && olderThan === undefined) throw usageError('Give --keep SIZE or --older-than AGE.')
    const limits = {
      keepBytes: keep === undefined ? Number.POSITIVE_INFINITY : sizeOf(keep, usageError),
      usedBeforeMs: olderThan === undefined ? Number.NEGATIVE_INFINITY : Date.now() - ageOf(olderThan, usageError),
    }
    await removeModels({ dir, yes, json, choose: (free, all) => superfluous(free, all, limits) })
  },
})

export interface PruneLimits {
  readonly keepBytes: number
  readonly usedBeforeMs: number
}

/** Those that are too old, and then the longest unused until what is left, open ones included, is small enough. */
export function superfluous<T extends Pick<CachedModel, 'usedBytes' | 'usedMs'>>(
  free: readonly T[],
  all: readonly T[],
  { keepBytes, usedBeforeMs }: PruneLimits,
): T[] {
  let left = all.reduce((sum, { usedBytes }) => sum + usedBytes, 0)
  return free.filter(({ usedBytes, usedMs }) => {
    if (usedMs >= usedBeforeMs && left <= keepBytes) return false
    left -= usedBytes
    return true
  })
}

function sizeOf(text: string, usageError: UsageErrorOf): number {
  try {
    return parseBytes(text)
  } catch {
    throw usageError(`--keep: expected a size such as 10GiB or 500MB, got '${text}'.`)
  }
}

const UNIT_MS: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

function ageOf(text: string, usageError: UsageErrorOf): number {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? []
  if (unit === undefined) throw usageError(`--older-than: expected an age such as 7d, 12h, 30m or 45s, got '${text}'.`)
  return Number(count) * UNIT_MS[unit]!
}

import { type DiskIo, invalidArgument, positiveInteger } from '@kvbm/core'
import type { DiskPace } from '@kvbm/native'

/** What a disk gets at a time, and who chose it. Parts that were pinned stay as they are, whoever chose the rest. */
export interface ChosenPace extends DiskPace {
  readonly chosenBy: 'pinned' | 'calibrated' | 'default'
}

/** What suits most disks: more requests gain little, longer ones nothing. */
export const PACE_DEFAULT: DiskPace = Object.freeze({ depth: 8, requestBytes: 2 ** 20 })
export const DEPTH_MAX = 1024
export const REQUEST_BYTES_STEP = 4096
export const REQUEST_BYTES_MAX = 2 ** 30
/** A slower trial counts as equal down to this share of the fastest; then fewer requests at a time win. */
const EQUAL = 0.95

/** Throws `RangeError` unless both numbers are what an engine takes, or absent; `TypeError` for anything else in it. */
export function checkDiskIo({ depth, requestBytes, ...others }: DiskIo): DiskIo {
  for (const name of Object.keys(others))
    throw new TypeError(`io.${name}: no such field. There are: depth, requestBytes.`)
  if (depth !== undefined && positiveInteger('io.depth', depth) > DEPTH_MAX)
    throw invalidArgument('io.depth', `at most ${DEPTH_MAX}`, depth)
  if (requestBytes !== undefined && !isRequestBytes(requestBytes))
    throw invalidArgument('io.requestBytes', `a multiple of ${REQUEST_BYTES_STEP}, at most 1 GiB`, requestBytes)
  return { ...(depth !== undefined && { depth }), ...(requestBytes !== undefined && { requestBytes }) }
}

export function isDepth(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= DEPTH_MAX
}

export function isRequestBytes(value: unknown): value is number {
  const isMultiple = Number.isInteger(value) && (value as number) % REQUEST_BYTES_STEP === 0
  return isMultiple && (value as number) > 0 && (value as number) <= REQUEST_BYTES_MAX
}

/** A pace and the bytes per second that it gave. */
export interface PaceTrial {
  readonly pace: DiskPace
  readonly rate: number
}

/** Of those that are as fast as the fastest, give or take what two measurements of one pace differ: the least depth, then the longest requests. */
export function bestPace(trials: readonly PaceTrial[]): DiskPace {
  const fastest = Math.max(...trials.map(({ rate }) => rate))
  const equal = trials.filter(({ rate }) => rate >= fastest * EQUAL).map(({ pace }) => pace)
  equal.sort((a, b) => a.depth - b.depth || b.requestBytes - a.requestBytes)
  return equal[0] ?? PACE_DEFAULT
}

/** Enough for all that share the threads. */
export function widestPace(paces: Iterable<DiskPace>, none: DiskPace): DiskPace {
  const all = [...paces]
  if (all.length === 0) return none
  return {
    depth: Math.max(...all.map(({ depth }) => depth)),
    requestBytes: Math.max(...all.map(({ requestBytes }) => requestBytes)),
  }
}

import { TIER_NAMES, type TierName } from '@kvbm/core'
import type { EdgeStatus, ManagerStatus } from '@kvbm/manager'
import type { CrashReport } from './crash.js'
import { describeMachine, type Machine } from './machine.js'
import { ratio } from './ratio.js'
import type { Percentiles } from './stage-times.js'
import type { Tally } from './tally.js'

/** Tokens that one block of a trace stands for. */
const TOKENS_PER_BLOCK = 512

/** The report as data: a stable contract, described in the README. Fields are only added. */
export interface Report {
  readonly requests: number
  readonly isInterrupted: boolean
  readonly seconds: number
  readonly blocks: {
    readonly seen: number
    readonly hit: number
    /** Computed, and found room in the first tier. */
    readonly stored: number
    readonly verified: number
    readonly wrong: number
  }
  /** hit ÷ seen. */
  readonly hitRatio: number
  /** What a cache without limits would have hit of the same requests. */
  readonly infiniteHitRatio: number
  /** Where the tokens of all prompts came from. */
  readonly tokens: Readonly<Record<TierName | 'computed', number>>
  readonly tiers: Readonly<Record<TierName, TierReport>>
  /** By its ends: `host-disk`. */
  readonly edges: Readonly<Record<string, EdgeReport>>
  /** Milliseconds per request. */
  readonly stages: Readonly<Record<string, Percentiles>>
  /** The most that the process occupied. */
  readonly memoryBytes: number
  /** What the files of the disk tier occupy. */
  readonly diskBytes: number
  readonly machine: Machine
  readonly crash?: CrashReport
}

/** One tier, 0 where there is none: its size, blocks in use at the end, and how many blocks it gave. */
export interface TierReport {
  readonly blocks: number
  readonly used: number
  readonly hit: number
}

/** What one edge carried, and the rate of one copy: several run at once. */
export interface EdgeReport {
  readonly blocks: number
  readonly bytes: number
  readonly seconds: number
  readonly gbPerSecond: number
  readonly dropped: number
}

/** What was measured around the requests. */
export interface Facts {
  readonly seconds: number
  readonly isInterrupted: boolean
  readonly stages: Readonly<Record<string, Percentiles>>
  readonly diskBytes: number
}

/** The report on requests that a manager has served. */
export function buildReport(tally: Tally, status: ManagerStatus, facts: Facts): Report {
  const { requests, seen, hit, infiniteHit, stored, verified, wrong, byTier } = tally
  const edges = Object.entries(status.edges).map(([name, edge]) => [name, edgeReport(edge)])
  return {
    requests,
    isInterrupted: facts.isInterrupted,
    seconds: facts.seconds,
    blocks: { seen, hit, stored, verified, wrong },
    hitRatio: ratio(hit, seen),
    infiniteHitRatio: ratio(infiniteHit, seen),
    tokens: forEachSource((name) => TOKENS_PER_BLOCK * (name === 'computed' ? seen - hit : byTier[name])),
    tiers: forEachTier((name) => tierReport(status, name, byTier[name])),
    edges: Object.fromEntries(edges),
    stages: facts.stages,
    memoryBytes: process.resourceUsage().maxRSS * 1024,
    diskBytes: facts.diskBytes,
    machine: describeMachine(),
  }
}

function forEachTier<T>(value: (name: TierName) => T): Record<TierName, T> {
  return Object.fromEntries(TIER_NAMES.map((name) => [name, value(name)])) as Record<TierName, T>
}

function forEachSource(value: (name: TierName | 'computed') => number): Report['tokens'] {
  return { ...forEachTier(value), computed: value('computed') }
}

function tierReport(status: ManagerStatus, name: TierName, hit: number): TierReport {
  const { total = 0, inactive = 0, held = 0 } = status.tiers[name]?.blocks ?? {}
  return { blocks: total, used: inactive + held, hit }
}

function edgeReport({ blocks, bytes, seconds, drops }: EdgeStatus): EdgeReport {
  const dropped = Object.values(drops).reduce((sum, count) => sum + count, 0)
  return { blocks, bytes, seconds, gbPerSecond: ratio(bytes / 1e9, seconds), dropped }
}

import type { TierName } from '@kvbm/core'
import type { ManagerStatus } from '@kvbm/manager'
import colors from 'picocolors'
import type { CrashReport } from './crash-scene.js'
import type { Stages } from './stages.js'

/** The data form of the report: a stable contract, fields are only added. */
export interface Report {
  readonly requests: number
  readonly interrupted: boolean
  readonly seconds: number
  readonly blocks: {
    readonly seen: number
    readonly hit: number
    readonly computed: number
    readonly verified: number
    readonly wrong: number
  }
  /** hit ÷ seen. */
  readonly hitRatio: number
  /** What a cache without limits would have hit of the same requests. */
  readonly infiniteHitRatio: number
  readonly tokens: { readonly device: number; readonly host: number; readonly disk: number; readonly computed: number }
  readonly tiers: Record<TierName, { readonly blocks: number; readonly hit: number; readonly used: number }>
  readonly edges: Record<
    string,
    {
      readonly blocks: number
      readonly bytes: number
      readonly seconds: number
      readonly gbPerSecond: number
      readonly dropped: number
    }
  >
  readonly stages: ReturnType<Stages['percentiles']>
  readonly memoryBytes: number
  readonly diskBytes: number
  readonly binding: string
  readonly crash?: CrashReport
}

export interface Tally {
  requests: number
  seen: number
  hit: number
  infiniteHit: number
  computed: number
  verified: number
  wrong: number
  byTier: Record<TierName, number>
}

export function newTally(): Tally {
  return {
    requests: 0,
    seen: 0,
    hit: 0,
    infiniteHit: 0,
    computed: 0,
    verified: 0,
    wrong: 0,
    byTier: { device: 0, host: 0, disk: 0 },
  }
}

const ratio = (part: number, whole: number): number => (whole === 0 ? 0 : part / whole)

export function buildReport(
  tally: Tally,
  status: ManagerStatus,
  stages: Stages,
  facts: { readonly seconds: number; readonly interrupted: boolean; readonly tokensPerBlock: number },
): Report {
  const tier = (name: TierName): Report['tiers'][TierName] => {
    const blocks = status.tiers[name]?.blocks
    return { blocks: blocks?.total ?? 0, hit: tally.byTier[name], used: (blocks?.inactive ?? 0) + (blocks?.held ?? 0) }
  }
  const { tokensPerBlock } = facts
  return {
    requests: tally.requests,
    interrupted: facts.interrupted,
    seconds: facts.seconds,
    blocks: {
      seen: tally.seen,
      hit: tally.hit,
      computed: tally.computed,
      verified: tally.verified,
      wrong: tally.wrong,
    },
    hitRatio: ratio(tally.hit, tally.seen),
    infiniteHitRatio: ratio(tally.infiniteHit, tally.seen),
    tokens: {
      device: tally.byTier.device * tokensPerBlock,
      host: tally.byTier.host * tokensPerBlock,
      disk: tally.byTier.disk * tokensPerBlock,
      computed: (tally.seen - tally.hit) * tokensPerBlock,
    },
    tiers: { device: tier('device'), host: tier('host'), disk: tier('disk') },
    edges: edgesOf(status),
    stages: stages.percentiles(),
    memoryBytes: process.memoryUsage().rss,
    diskBytes: status.tiers.disk?.usedBytes ?? 0,
    binding: status.binding,
  }
}

function edgesOf(status: ManagerStatus): Report['edges'] {
  return Object.fromEntries(
    Object.entries(status.edges).map(([name, { blocks, bytes, seconds, drops }]) => {
      const dropped = Object.values(drops).reduce((sum, count) => sum + count, 0)
      return [name, { blocks, bytes, seconds, gbPerSecond: ratio(bytes / 1e9, seconds), dropped }]
    }),
  )
}

const number = (value: number): string => Math.round(value).toLocaleString('en-US')
const percent = (value: number): string => `${(100 * value).toFixed(2)} %`
const mebibytes = (bytes: number): string => `${number(bytes / 2 ** 20)} MiB`
const milliseconds = (ms: number): string => (ms < 10 ? ms.toFixed(2) : ms.toFixed(0))

function bar(share: number, width = 28): string {
  const filled = Math.round(share * width)
  return '█'.repeat(filled) + colors.dim('░'.repeat(width - filled))
}

/** The report as a person reads it. */
export function formatReport(report: Report): string {
  const { blocks } = report
  const lines = [
    '',
    colors.bold(
      `${number(report.requests)} requests, ${number(blocks.seen)} blocks in ${report.seconds.toFixed(1)} s`,
    ) + (report.interrupted ? colors.yellow('  (interrupted)') : ''),
    '',
    '  Where the tokens came from',
    ...(['device', 'host', 'disk'] as const).map((name) =>
      sourceLine(name, report.tiers[name].hit, blocks.seen, report.tokens[name]),
    ),
    sourceLine('computed', blocks.seen - blocks.hit, blocks.seen, report.tokens.computed),
    '',
    `  Hit ratio        ${percent(report.hitRatio)} of all blocks; a cache without limits would reach ${percent(report.infiniteHitRatio)}`,
    `  Verified         ${number(blocks.verified)} blocks byte for byte, ${blocks.wrong === 0 ? colors.green('0 wrong') : colors.red(`${number(blocks.wrong)} WRONG`)}`,
    '',
    '  Moved                  blocks          MiB      GB/s   dropped',
    ...Object.entries(report.edges).map(
      ([name, edge]) =>
        `    ${name.replace('-', ' → ').padEnd(16)}${number(edge.blocks).padStart(8)} ${number(edge.bytes / 2 ** 20).padStart(12)} ${edge.gbPerSecond.toFixed(2).padStart(9)} ${number(edge.dropped).padStart(9)}`,
    ),
    '',
    '  Latency per request, ms     p50      p90      p99',
    ...Object.entries(report.stages).map(
      ([stage, { p50, p90, p99 }]) =>
        `    ${stage.padEnd(20)}${[p50, p90, p99].map((ms) => milliseconds(ms).padStart(9)).join('')}`,
    ),
    '',
    `  Memory ${mebibytes(report.memoryBytes)}, disk ${mebibytes(report.diskBytes)}, ${report.binding} core`,
  ]
  return lines.join('\n')
}

function sourceLine(name: string, blocks: number, seen: number, tokens: number): string {
  return `    ${name.padEnd(9)}${bar(ratio(blocks, seen))} ${percent(ratio(blocks, seen)).padStart(8)}  ${number(tokens).padStart(13)} tokens`
}

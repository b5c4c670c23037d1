import type { LayoutType, TierName } from '@kvbm/core'
import type { ManagerSettings } from '@kvbm/manager'
import { SeededRandom, type Stalls } from '@kvbm/native/testing'

/** What can go wrong in a history. */
export interface Weather {
  /** Accesses fail, end early, find the disk full or a device lost. */
  readonly errors: boolean
  /** Bits arrive wrong or change where they lie. */
  readonly flips: boolean
  readonly kills: boolean
  readonly powerCuts: boolean
  readonly stalls: Stalls
}

/** The sizes of one tier in memory. */
export interface MemoryTier {
  readonly numBlocks: number
  readonly layoutType: LayoutType
}

/** A machine, a model and a manager's configuration, all drawn from a seed. */
export interface Scenario {
  readonly seed: number
  readonly sectorBytes: number
  readonly threads: number
  readonly model: {
    readonly modelId: string
    readonly numLayers: number
    readonly outerDim: number
    readonly pageSize: number
    readonly innerDim: number
    readonly dtype: 'fp16'
  }
  readonly blockBytes: number
  readonly device: MemoryTier | undefined
  readonly host: MemoryTier | undefined
  readonly diskBlocks: number
  readonly writeThrough: boolean
  /** Other processes read the disk beside the one that writes it. */
  readonly isShared: boolean
  readonly duplicates: 'allow' | 'reject'
  readonly settings: Partial<ManagerSettings>
  readonly weather: Weather
  readonly steps: number
}

const LAYOUTS: readonly LayoutType[] = [
  'fully-contiguous',
  'paged',
  { kind: 'layer-separate', outerContiguous: true },
  { kind: 'layer-separate', outerContiguous: false },
]

/** Draws everything that a history needs to know before it begins. */
export function drawScenario(seed: number): Scenario {
  const random = new SeededRandom(seed ^ 0x5eed)
  const model = drawModel(random)
  const blockBytes = model.numLayers * model.outerDim * model.pageSize * model.innerDim * 2
  const tiers = random.pick<readonly TierName[]>([['device', 'host'], ['device', 'host'], ['host'], ['device'], []])
  const memory = (name: TierName): MemoryTier | undefined =>
    tiers.includes(name) ? { numBlocks: 4 + random.below(16), layoutType: random.pick(LAYOUTS) } : undefined
  return {
    seed,
    sectorBytes: random.pick([512, 4096]),
    threads: 1 + random.below(4),
    model,
    blockBytes,
    device: memory('device'),
    host: memory('host'),
    diskBlocks: 6 + random.below(40),
    writeThrough: random.chance(0.7),
    isShared: tiers.length > 0 && random.chance(0.5),
    duplicates: random.pick(['allow', 'reject']),
    settings: drawSettings(random, blockBytes),
    weather: drawWeather(random),
    steps: 40 + random.below(120),
  }
}

function drawModel(random: SeededRandom): Scenario['model'] {
  return {
    // Part of the text in the superblock: so that it fills one sector or several.
    modelId: 'm'.repeat(random.pick([9, 400, 1200])),
    numLayers: 1 + random.below(3),
    outerDim: 1 + random.below(2),
    pageSize: random.pick([1, 2, 4]),
    innerDim: random.pick([16, 32, 128, 256]),
    dtype: 'fp16',
  }
}

function drawSettings(random: SeededRandom, blockBytes: number): Partial<ManagerSettings> {
  const isHasty = random.chance(0.3)
  return {
    offloadQueueMax: random.pick([0, 4, 8192]),
    offloadConcurrency: 1 + random.below(4),
    transferBatchMax: random.pick([1, 2, 3, 64]),
    stagingBytes: blockBytes * (1 + random.below(4)),
    transferDeadlineMs: isHasty ? 20 + random.below(100) : 30_000,
    probeDelayMs: 1 + random.below(50),
    probeDelayMaxMs: 100,
    closeDeadlineMs: random.pick([50, 10_000]),
    poison: random.chance(0.5),
  }
}

function drawWeather(random: SeededRandom): Weather {
  return {
    errors: random.chance(0.5),
    flips: random.chance(0.4),
    kills: random.chance(0.7),
    powerCuts: random.chance(0.4),
    stalls: random.pick([
      { chance: 0, mostMs: 0 },
      { chance: 0.05, mostMs: 50 },
      { chance: 0.1, mostMs: 500 },
    ]),
  }
}

import type { FaultCode, SeededRandom } from '@kvbm/native/testing'
import type { Facts } from './facts.js'
import type { Ledger } from './ledger.js'
import type { Life } from './life.js'
import type { Scenario } from './scenario.js'
import type { Damage } from './user.js'

const SUPERBLOCK_BYTES = 128
const SUPERBLOCK_COPY_BYTES = 16_384
const TABLE_OFFSET = 1_048_576
const RECORD_BYTES = 64
const CODES: readonly FaultCode[] = ['EIO', 'ENOSPC', 'EDQUOT']

interface Lot {
  readonly life: Life
  readonly random: SeededRandom
  readonly scenario: Scenario
  readonly ledger: Ledger
  readonly damage: Damage
}

/** All that can happen to a machine that goes on running. */
const LOTS = {
  fail: ({ life, random }: Lot) =>
    life.faults.fail({ region: anyRegion(life, random), code: random.pick(CODES), after: random.below(4) }),
  cutShort: ({ life, random, scenario }: Lot) =>
    life.faults.cutShort({
      region: anyRegion(life, random),
      bytes: random.below(2 * scenario.blockBytes),
      after: random.below(4),
    }),
  noRoom: ({ life, random }: Lot) =>
    life.faults.fail({ operation: 'reserve', code: 'ENOSPC', times: 1 + random.below(2) }),
  diskFull: ({ life }: Lot) => {
    life.machine.disk.capacityBytes = life.machine.disk.usedBytes
  },
  lose: ({ life, random }: Lot) => life.faults.lose(anyRegion(life, random)),
  heal: ({ life }: Lot) => {
    life.faults.clear()
    life.machine.disk.capacityBytes = Number.POSITIVE_INFINITY
  },
  /** A bit arrives wrong from the disk or on it. What the user hands over is the only thing that nobody can judge. */
  flipOnTheWay: ({ life, random, scenario, damage }: Lot) => {
    damage.isPossible = true
    life.faults.flipBit({ region: life.regions.disk.at(-1)!, bit: random.below(scenario.blockBytes * 8) })
  },
  /** In memory below the first tier, where every block came by a copy that was summed. */
  flipInHost: ({ life, random, scenario, damage }: Lot) => {
    const region = random.pick(life.regions.host)
    if (scenario.device === undefined || region === undefined) return
    damage.isPossible = true
    life.faults.flipBit({ region, operation: 'write', bit: random.below(scenario.blockBytes * 8) })
  },
  flipAtRest: ({ life, random, damage }: Lot) => {
    damage.isPossible = true
    const blocks = life.machine.disk.file(life.files.blocks)
    if (blocks.sizeBytes > 0) blocks.flipBit(random.below(blocks.sizeBytes * 8))
  },
  flipRecord: ({ life, random, ledger }: Lot) => {
    const slot = random.below(life.manager.disk.numBlocks)
    ledger.damaged(slot)
    const bit = random.below(RECORD_BYTES * 8)
    life.machine.disk.file(life.files.table).flipBit((TABLE_OFFSET + slot * RECORD_BYTES) * 8 + bit)
  },
} satisfies Record<string, (lot: Lot) => void>

const ERRORS = ['fail', 'fail', 'cutShort', 'cutShort', 'noRoom', 'diskFull', 'lose', 'heal', 'heal'] as const
const FLIPS = ['flipOnTheWay', 'flipAtRest', 'flipInHost', 'flipRecord'] as const

/** Lets something happen that the scenario's weather knows, if it knows anything. */
export function strike(lot: Lot, facts: Facts): void {
  const { errors, flips } = lot.scenario.weather
  const known = [...(errors ? ERRORS : []), ...(flips ? FLIPS : [])]
  if (known.length === 0) return
  const name = lot.random.pick(known)
  lot.life.machine.scheduler.note(`misfortune: ${name}`)
  facts.faults++
  LOTS[name](lot)
}

/** One of the two copies of the superblock rots while nobody has the table open. */
export function rotSuperblock({ life, random }: Pick<Lot, 'life' | 'random'>): void {
  const copy = random.below(2)
  // A power cut may have taken the file.
  if (life.machine.disk.entry(life.files.table) === undefined) return
  life.machine.scheduler.note(`misfortune: copy ${copy} of the superblock rots`)
  const bit = copy * SUPERBLOCK_COPY_BYTES * 8 + random.below(SUPERBLOCK_BYTES * 8)
  life.machine.disk.file(life.files.table).flipBit(bit)
}

function anyRegion({ regions }: Life, random: SeededRandom): number {
  return random.pick([...regions.device, ...regions.host, ...regions.disk, ...regions.table])
}

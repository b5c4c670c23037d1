import type { BlockHashes, TierName } from '@kvbm/core'
import type { Lease, Manager, WaitOptions } from '@kvbm/manager'
import type { ImmutableBlocks } from '@kvbm/pool'
import { bytesOf } from './content.js'
import type { Facts } from './facts.js'
import type { Life } from './life.js'

/** What is drawn for one call. */
export interface Call {
  readonly leaf: number
  readonly count: number
  readonly which: number
  readonly tier: TierName
  readonly wait: WaitOptions
}

/** Whether bytes may have been damaged behind the manager's back. While that is false, nothing may be missing. */
export interface Damage {
  isPossible: boolean
}

export interface UserOptions {
  readonly life: Life
  readonly facts: Facts
  readonly damage: Damage
  /** Of a process that reads the disk beside the one that writes it. What that one overwrote since is missing, and no damage. */
  readonly isBeside?: boolean
}

/** Whoever uses the manager of one life, and what is held in the middle of a history. */
export class User {
  readonly manager: Manager
  readonly life: Life
  readonly #leases: Lease[] = []
  readonly #runs: ImmutableBlocks[] = []
  readonly #facts: Facts
  readonly #damage: Damage
  readonly #isBeside: boolean

  constructor({ life, facts, damage, isBeside = false }: UserOptions) {
    this.life = life
    this.manager = life.manager
    this.#facts = facts
    this.#damage = damage
    this.#isBeside = isBeside
  }

  /** The main job: what is cached comes up, the rest is computed, and all is let go. */
  async serve({ leaf, count, wait }: Call): Promise<void> {
    const { manager } = this
    const hashes = this.life.prompts.of(leaf, count)
    using lease = manager.match(hashes)
    await this.#judgeLease(lease, wait)
    using resident = await manager.onboard(lease, wait)
    await this.#judgeLease(resident, wait)
    const missing = hashes.subarray(resident.count)
    using fresh = manager.firstTier.allocateUpTo(missing.count)
    const names = missing.subarray(0, fresh.count)
    await this.#write(fresh, names, wait)
    using _named = await manager.register(fresh, names)
  }

  /** In the first tier or on disk: what comes to others by copies is what misfortune may damage there. */
  async compute({ leaf, count, tier, wait }: Call): Promise<void> {
    const hashes = this.life.prompts.of(leaf, count)
    using fresh = this.manager[tier === 'disk' ? 'disk' : this.manager.tiers[0]!].allocateUpTo(hashes.count)
    const names = hashes.subarray(0, fresh.count)
    await this.#write(fresh, names, wait)
    this.#runs.push(await this.manager.register(fresh, names))
  }

  async match({ leaf, count, wait }: Call): Promise<void> {
    const lease = this.manager.match(this.life.prompts.of(leaf, count))
    this.#leases.push(lease)
    await this.#judgeLease(lease, wait)
  }

  async onboard({ which, tier, wait }: Call): Promise<void> {
    const lease = this.#leases[which % this.#leases.length]
    if (lease === undefined) return
    const to = this.#existing(tier === 'disk' ? 'device' : tier)
    const resident = await this.manager.onboard(lease, { to, ...wait })
    this.#leases.push(resident)
    if (resident.count > lease.count)
      throw new Error(`${lease.count} blocks were onboarded, and ${resident.count} came.`)
    await this.#judgeLease(resident, wait)
  }

  async offload({ which, wait }: Call): Promise<void> {
    const run = this.#runs[which % this.#runs.length]
    if (run === undefined) return
    const { offered, copied, present, dropped } = await this.manager.offload(run, wait)
    const sum = copied + present + Object.values(dropped).reduce((total, count) => total + count, 0)
    if (sum !== offered) throw new Error(`${offered} blocks were offered, and the report tells of ${sum}.`)
  }

  async read({ which, wait }: Call): Promise<void> {
    const run = this.#runs[which % this.#runs.length]
    if (run !== undefined) await this.#judge(run, wait)
  }

  async readLease({ which, wait }: Call): Promise<void> {
    const lease = this.#leases[which % this.#leases.length]
    if (lease !== undefined) await this.#judgeLease(lease, wait)
  }

  async release({ which }: Call): Promise<void> {
    this.#leases.splice(-1 - (which % 2), 1)[0]?.release()
    this.#runs.splice(-1 - (which % 2), 1)[0]?.release()
  }

  async acquire({ count, tier, which }: Call): Promise<void> {
    using _some = await this.manager[this.#existing(tier)].acquire(count, { deadlineMs: 1 + (which % 100) })
  }

  reset({ tier }: Call): Promise<void> {
    return this.manager[this.#existing(tier)].reset()
  }

  async resetBlocks({ leaf, count, tier }: Call): Promise<void> {
    await this.manager[this.#existing(tier)].resetBlocks(this.life.prompts.of(leaf, count))
  }

  refresh(): Promise<void> {
    return this.manager.disk.refresh()
  }

  settle({ wait }: Call): Promise<void> {
    return this.manager.settled(wait)
  }

  /** Reads whatever is on disk and compares it with its names. */
  async readDisk(): Promise<void> {
    for (const hash of this.life.prompts.blocks.values()) {
      using block = this.manager.disk.match(hash)
      await this.#judgeOnDisk(block, {})
    }
  }

  releaseAll(): void {
    for (const lease of this.#leases.splice(0)) lease.release()
    for (const run of this.#runs.splice(0)) run.release()
  }

  async #write(fresh: Parameters<Manager['write']>[0], names: BlockHashes, wait: WaitOptions): Promise<void> {
    await this.manager.write(fresh, bytesOf(names, this.manager.blockBytes), wait)
    this.#facts.blocksWritten += names.count
  }

  async #judgeLease({ runs }: Lease, wait: WaitOptions): Promise<void> {
    for (const { tier, blocks } of runs)
      if (tier === 'disk') await this.#judgeOnDisk(blocks, wait)
      else await this.#judge(blocks, wait)
  }

  async #judgeOnDisk(blocks: ImmutableBlocks, wait: WaitOptions): Promise<void> {
    const sound = await this.#judge(blocks, wait)
    if (this.#isBeside) this.#facts.blocksJudgedBeside += sound
  }

  /** Whatever comes back is right: so many blocks. Less than was asked for comes only where bytes were damaged. */
  async #judge(blocks: ImmutableBlocks, wait: WaitOptions): Promise<number> {
    using held = blocks.retain()
    const { blockBytes } = this.manager
    const read = await this.manager.read(held, wait)
    const sound = read.length / blockBytes
    const expected = bytesOf(held.hashes, blockBytes).subarray(0, read.length)
    if (Buffer.compare(read, expected) !== 0)
      throw new Error(`Wrong bytes were served: ${differences(read, expected)}.`)
    if (sound < held.count && !this.#damage.isPossible && !this.#isBeside)
      throw new Error(`Of ${held.count} blocks ${sound} were sound, and nothing had damaged any.`)
    this.#facts.blocksJudged += sound
    this.life.machine.scheduler.note(`judged ${sound} of ${held.count}`)
    return sound
  }

  #existing(tier: TierName): TierName {
    return this.manager.tiers.includes(tier) ? tier : this.manager.tiers[0]!
  }
}

function differences(read: Uint8Array, expected: Uint8Array): string {
  const at = read.findIndex((byte, index) => byte !== expected[index])
  return `byte ${at} of ${read.length} is ${read[at]}, and must be ${expected[at]}`
}

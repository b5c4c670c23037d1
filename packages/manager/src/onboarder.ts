import type { BlockHashes, TierName } from '@kvbm/core'
import type { ImmutableBlocks } from '@kvbm/pool'
import type { Counters } from './counters.js'
import { Lease, type LeaseRun } from './lease.js'
import type { Arrival, Mover } from './mover.js'
import { sliceRun } from './slice-run.js'
import type { Staging } from './staging.js'
import type { TierStore } from './tier.js'
import { type WaitOptions, within } from './within.js'

export interface OnboarderOptions {
  readonly tiers: ReadonlyMap<TierName, TierStore>
  /** Bounded memory for blocks on their way from disk that have no room in the host tier. */
  readonly staging: Staging
  readonly mover: Mover
  readonly counters: Counters
}

/**
 * Brings cached blocks up. Copies below stay in place. From disk to device blocks pass through the host tier, where they stay if
 * there is room without waiting, else through staging. A full target or a damaged block gives the shorter prefix.
 */
export class Onboarder {
  readonly #options: OnboarderOptions

  constructor(options: OnboarderOptions) {
    this.#options = options
  }

  /** The longest prefix of `lease` that could be made resident in `to`, pinned there. `lease` stays the caller's. */
  async onboard(lease: Lease, to: TierStore, wait: WaitOptions): Promise<Lease> {
    const resident: LeaseRun[] = []
    try {
      for (const run of lease.runs) {
        const arrived = await this.#bring(run, to, wait)
        resident.push(...arrived.map((blocks) => ({ tier: to.name as TierName, blocks })))
        if (total(arrived) < run.blocks.count) break
      }
    } catch (error) {
      for (const run of resident) run.blocks.release()
      throw error
    }
    const count = resident.reduce((sum, run) => sum + run.blocks.count, 0)
    return new Lease(lease.hashes.subarray(0, count), resident)
  }

  async #bring(run: LeaseRun, to: TierStore, wait: WaitOptions): Promise<ImmutableBlocks[]> {
    if (run.tier === to.name) return [run.blocks.retain()]
    const from = this.#options.tiers.get(run.tier)!
    return this.#gather(run.blocks.hashes, to, wait, (hashes, offset) => {
      const source = sliceRun(run.blocks, offset, hashes.count)
      return this.#copy(from, source, to, wait).finally(() => source.release())
    })
  }

  /** Walks `hashes`: takes what is there, waits for what others bring, copies the rest. Stops at the first block it cannot have. */
  async #gather(
    hashes: BlockHashes,
    to: TierStore,
    wait: WaitOptions,
    copy: (hashes: BlockHashes, offset: number) => Promise<ImmutableBlocks | undefined>,
  ): Promise<ImmutableBlocks[]> {
    const parts: ImmutableBlocks[] = []
    try {
      for (let at = 0; at < hashes.count; ) {
        const rest = hashes.subarray(at)
        const present = to.pool.match(rest)
        if (present.count > 0) {
          parts.push(present)
          at += present.count
          continue
        }
        present.release()
        const others = to.inFlight.of(rest, 0)
        if (others !== undefined) {
          await within(others, `Waiting for another copy to ${to.name}`, wait)
          if (to.pool.matchCount(rest) === 0 && to.inFlight.of(rest, 0) === undefined) break
          continue
        }
        const arrived = await copy(missingPrefix(rest, to), at)
        if (arrived === undefined || arrived.count === 0) {
          arrived?.release()
          break
        }
        parts.push(arrived)
        at += arrived.count
      }
    } catch (error) {
      for (const part of parts) part.release()
      throw error
    }
    return parts
  }

  async #copy(
    from: TierStore,
    source: ImmutableBlocks,
    to: TierStore,
    wait: WaitOptions,
  ): Promise<ImmutableBlocks | undefined> {
    if (!from.onDisk || to.name !== 'device') return this.#direct(from, source, to, wait)
    const host = this.#options.tiers.get('host')
    const viaHost = host === undefined ? undefined : await this.#direct(from, source, host, wait)
    if (host === undefined || viaHost === undefined || viaHost.count === 0) {
      viaHost?.release()
      return this.#staged(from, source, to, wait)
    }
    try {
      return await this.#direct(host, viaHost, to, wait)
    } finally {
      viaHost.release()
    }
  }

  /** One move, of as many blocks as the target can give without waiting. */
  async #direct(
    from: TierStore,
    source: ImmutableBlocks,
    to: TierStore,
    wait: WaitOptions,
  ): Promise<ImmutableBlocks | undefined> {
    const idle = missingPrefix(source.hashes, to).count
    const target = to.allocateUpTo(idle)
    if (target.count === 0) return undefined
    const part = sliceRun(source, 0, target.count)
    try {
      return this.#counted(from, to, await this.#options.mover.move(from, part, to, target, wait))
    } finally {
      part.release()
    }
  }

  /** Disk → staging → target, for as many blocks as staging holds. */
  async #staged(
    from: TierStore,
    source: ImmutableBlocks,
    to: TierStore,
    wait: WaitOptions,
  ): Promise<ImmutableBlocks | undefined> {
    const { staging, mover } = this.#options
    const count = Math.min(missingPrefix(source.hashes, to).count, staging.blocksMax)
    if (count === 0) return undefined
    const part = sliceRun(source, 0, count)
    try {
      return await staging.use(count, wait, async (staged) => {
        const sound = await mover.fetch(from, part, staging.store, staged, wait)
        const target = to.allocateUpTo(Math.min(sound, missingPrefix(part.hashes, to).count))
        if (target.count === 0) return undefined
        const hashes = part.hashes.subarray(0, target.count)
        return this.#counted(from, to, await mover.land(staging.store, staged, hashes, to, target, wait))
      })
    } finally {
      part.release()
    }
  }

  #counted(from: TierStore, to: TierStore, arrival: Arrival): ImmutableBlocks {
    this.#options.counters.edge(from.name as TierName, to.name as TierName).blocks += arrival.blocks.count
    return arrival.blocks
  }
}

/** The blocks from the first on that are neither in `to` nor on their way there. */
function missingPrefix(hashes: BlockHashes, to: TierStore): BlockHashes {
  const present = to.pool.scan(hashes)
  let count = 0
  while (count < hashes.count && present[count] === 0 && to.inFlight.of(hashes, count) === undefined) count++
  return hashes.subarray(0, count)
}

function total(parts: readonly ImmutableBlocks[]): number {
  return parts.reduce((sum, part) => sum + part.count, 0)
}

import { type BlockHashes, KvbmError, type TierName } from '@kvbm/core'
import type { ImmutableBlocks } from '@kvbm/pool'
import { Lease, type LeaseRun } from './lease.js'
import { missingPrefix } from './missing-prefix.js'
import type { Mover } from './mover.js'
import { sliceRun } from './slice-run.js'
import type { Staging } from './staging.js'
import { isTierFailure } from './tier-health.js'
import type { TierMap } from './tier-map.js'
import type { TierStore } from './tier-store.js'
import type { Transfers } from './transfers.js'

export interface OnboarderOptions {
  readonly tiers: TierMap
  readonly transfers: Transfers
  /** Bounded memory for blocks on their way from disk that have no room in the host tier. */
  readonly staging: Staging
  readonly mover: Mover
  /** Blocks of one copy. */
  readonly batchMax: number
}

/** Some blocks to bring from one tier to another. */
interface Leg {
  readonly from: TierStore<TierName>
  readonly source: ImmutableBlocks
  readonly to: TierStore<TierName>
  readonly signal: AbortSignal | undefined
}

/** Blocks that came, none where their bytes could not be had; undefined where there is no room. */
type Brought = ImmutableBlocks | undefined

/**
 * Brings cached blocks up. Copies below stay in place. From disk to device blocks pass through the host tier, where they stay if
 * there is room without waiting, else through staging. A full target, a damaged block or a failing tier gives the shorter prefix.
 */
export class Onboarder {
  readonly #options: OnboarderOptions

  constructor(options: OnboarderOptions) {
    this.#options = options
  }

  /** The longest prefix of `lease` that could be made resident in `to`, pinned there. `lease` stays the caller's. */
  async onboard(lease: Lease, to: TierStore<TierName>, signal?: AbortSignal): Promise<Lease> {
    using held = lease.retain()
    const resident: LeaseRun[] = []
    try {
      for (const run of held.runs) {
        const brought = await this.#bring(run, to, signal)
        resident.push(...brought.map((blocks) => ({ tier: to.name, blocks })))
        if (total(brought) < run.blocks.count) break
      }
    } catch (error) {
      for (const { blocks } of resident) blocks.release()
      throw error
    }
    return new Lease(held.hashes.subarray(0, total(resident.map(({ blocks }) => blocks))), resident)
  }

  async #bring({ tier, blocks }: LeaseRun, to: TierStore<TierName>, signal?: AbortSignal): Promise<ImmutableBlocks[]> {
    if (tier === to.name) return [blocks.retain()]
    const leg = { from: this.#options.tiers.storeOf(blocks), source: blocks, to, signal }
    const parts: ImmutableBlocks[] = []
    try {
      for (let at = 0; at < blocks.count; at += parts.at(-1)!.count) {
        const part = await this.#next(leg, at, (piece) => this.#copy(piece))
        if (part === undefined || part.count === 0) break
        parts.push(part)
      }
    } catch (error) {
      for (const part of parts) part.release()
      throw error
    }
    return parts
  }

  /** Blocks from `at` on: what is there, what others bring, or what `copy` brings of the first that are missing. */
  async #next(leg: Leg, at: number, copy: (piece: Leg) => Promise<Brought>): Promise<Brought> {
    const { source, to, signal } = leg
    const { transfers, batchMax } = this.#options
    const batch = source.hashes.subarray(at, at + batchMax)
    for (;;) {
      transfers.admit(signal)
      const present = to.pool.peek(batch)
      if (present.count > 0) return present
      const others = to.inFlight.of(batch, 0)
      if (others !== undefined) {
        await transfers.wait(others, `Waiting for another copy to ${to.name}`, signal)
        continue
      }
      using piece = sliceRun(source, at, missingPrefix(batch, to).count)
      const brought = await copy({ ...leg, source: piece })
      // Whose own copy brought nothing sound must not wait for others who try the same: they would wait for each other in turn.
      if (brought !== undefined || !isComing(batch, to)) return brought
    }
  }

  async #copy(leg: Leg): Promise<Brought> {
    const host = this.#options.tiers.get('host')
    if (leg.to.pool.available === 0) return undefined
    if (!leg.from.onDisk || leg.to.name !== 'device') return this.#direct(leg)
    return host === undefined ? this.#staged(leg) : this.#viaHost(leg, host)
  }

  /** Disk → host → device. What others bring to host is awaited rather than read twice. */
  async #viaHost(leg: Leg, host: TierStore<TierName>): Promise<Brought> {
    using inHost = await this.#next({ ...leg, to: host }, 0, (piece) => this.#direct(piece))
    if (inHost === undefined) return this.#staged(leg)
    if (inHost.count === 0) return inHost.retain()
    this.#options.transfers.admit(leg.signal)
    return await this.#direct({ ...leg, from: host, source: inHost })
  }

  /** One copy, of as many blocks as the target can give without waiting. */
  async #direct({ from, source, to, signal }: Leg): Promise<Brought> {
    const target = to.allocateUpTo(missingPrefix(source.hashes, to).count)
    if (target.count === 0) return undefined
    using part = sliceRun(source, 0, target.count)
    return await this.#orNone(to, part, () => this.#options.mover.move({ from, source: part, to, target, signal }))
  }

  /** Disk → staging → target, for as many blocks as staging holds. */
  async #staged({ from, source, to, signal }: Leg): Promise<Brought> {
    const { staging, mover } = this.#options
    return staging.use(Math.min(source.count, staging.blocksMax), signal, async (staged) => {
      // Others may have brought some while we waited for our turn.
      const wanted = missingPrefix(source.hashes.subarray(0, staged.count), to)
      const target = to.allocateUpTo(wanted.count)
      if (target.count === 0) return undefined
      using part = sliceRun(source, 0, target.count)
      const stopover = { store: staging.store, blocks: staged }
      return await this.#orNone(to, part, () => mover.moveThrough(stopover, { from, source: part, to, target, signal }))
    })
  }

  /** A tier that fails, and says so in its state, gives no blocks. The caller's patience is another matter. */
  async #orNone(
    to: TierStore<TierName>,
    part: ImmutableBlocks,
    copy: () => Promise<ImmutableBlocks>,
  ): Promise<ImmutableBlocks> {
    try {
      return await copy()
    } catch (error) {
      if (isTierFailure(error) && !KvbmError.is(error, 'KVBM_DEADLINE')) return to.pool.peek(part.hashes.subarray(0, 0))
      throw error
    }
  }
}

/** Whether the first block is there by now, or somebody brings it. */
function isComing(hashes: BlockHashes, to: TierStore): boolean {
  return to.pool.matchCount(hashes.subarray(0, 1)) > 0 || to.inFlight.of(hashes, 0) !== undefined
}

function total(parts: readonly ImmutableBlocks[]): number {
  return parts.reduce((sum, part) => sum + part.count, 0)
}

import { assert, type BlockHashes, StorageIoError, type TierName, type TransferPriority } from '@kvbm/core'
import { planCopy } from '@kvbm/layout'
import type { ImmutableBlocks, MutableBlocks } from '@kvbm/pool'
import type { Counters } from './counters.js'
import { type Integrity, type Sums, sumsOf } from './integrity.js'
import { pinned } from './pinned.js'
import type { TierHealth, Undertaking } from './tier-health.js'
import type { StoreName, TierStore } from './tier-store.js'
import type { Transfers } from './transfers.js'

export interface Move {
  readonly from: TierStore<TierName>
  /** Stays the caller's. */
  readonly source: ImmutableBlocks
  readonly to: TierStore<TierName>
  /** As many blocks as `source` has. Consumed, however the move ends. */
  readonly target: MutableBlocks
  readonly signal?: AbortSignal | undefined
}

/** Memory on the way, lent by `Staging.use`. */
export interface Stopover {
  readonly store: TierStore<'staging'>
  readonly blocks: MutableBlocks
}

/** What a copy brought: so many sound blocks from the first on, and the checksums of all where they were taken. */
interface Copied {
  readonly sound: number
  readonly checksums: Uint32Array | undefined
}

export interface MoverOptions {
  readonly transfers: Transfers
  readonly integrity: Integrity
  readonly health: TierHealth
  readonly counters: Counters
}

/**
 * The commit protocol, the only way (besides reopening a disk) in which a block gets a name in a tier that did not compute it:
 * allocate → copy → status and checksum → register. Whatever fails before the last step leaves the target without a name; a
 * target that a copy may still write to stays held until that copy ends.
 */
export class Mover {
  readonly #transfers: Transfers
  readonly #integrity: Integrity
  readonly #health: TierHealth
  readonly #counters: Counters

  constructor({ transfers, integrity, health, counters }: MoverOptions) {
    this.#transfers = transfers
    this.#integrity = integrity
    this.#health = health
    this.#counters = counters
  }

  /**
   * Copies `source` into `target` and registers what arrived sound: resolves with the prefix before the first damaged block, held.
   * Rejects with the error of the copy, `DeadlineError` or the signal's reason. A copy whose caller gave up may still arrive.
   */
  async move(move: Move): Promise<ImmutableBlocks> {
    return this.#carry(move)
  }

  /** The same by way of memory that holds no names, where the blocks are verified. */
  async moveThrough(stopover: Stopover, move: Move): Promise<ImmutableBlocks> {
    return this.#carry(move, stopover)
  }

  /** Copies blocks into unnamed memory. Resolves with how many of them, from the first on, are sound. */
  async fetch(
    from: TierStore<TierName>,
    source: ImmutableBlocks,
    into: Stopover,
    signal?: AbortSignal,
  ): Promise<number> {
    const work = async (): Promise<number> => {
      using held = source.retain()
      using _pin = pinned(into.blocks)
      const ids = into.blocks.ids.slice(0, held.count)
      return (await this.#copy(from, held, into.store, ids, signal)).sound
    }
    const what = `Reading ${source.count} blocks from ${from.name}`
    return this.#health.during({ tier: from, doing: 'reading', signal }, () =>
      this.#transfers.run(what, work, { signal }),
    )
  }

  #carry(move: Move, stopover?: Stopover): Promise<ImmutableBlocks> {
    const { from, source, to, signal } = move
    const what = `Copying ${source.count} blocks from ${from.name} to ${to.name}`
    const late = (blocks: ImmutableBlocks): void => blocks.release()
    const work = (): Promise<ImmutableBlocks> => this.#work(move, stopover)
    return this.#health.during({ ...undertaking(from, to), signal }, () =>
      this.#transfers.run(what, work, { signal, late }),
    )
  }

  /** Holds all that it touches until it has ended, whatever its caller lets go meanwhile. */
  async #work({ from, source, to, target, signal }: Move, stopover: Stopover | undefined): Promise<ImmutableBlocks> {
    using whole = target
    using held = source.retain()
    using _claim = to.inFlight.claim(held.hashes)
    using _pin = stopover && pinned(stopover.blocks)
    const staged = stopover?.blocks.ids.slice(0, held.count)
    const started = performance.now()
    await to.prepare(whole.ids)
    const copied =
      stopover === undefined
        ? await this.#copy(from, held, to, whole.ids, signal)
        : await this.#copyThrough(stopover.store, staged!, { from, source: held, to, target: whole, signal })
    this.#countCopy(from, to, whole.count, started)
    return await this.#commit(from, to, whole, held.hashes, copied)
  }

  async #copyThrough(
    staging: TierStore<'staging'>,
    staged: Uint32Array,
    { from, source, to, target, signal }: Move,
  ): Promise<Copied> {
    const copied = await this.#copy(from, source, staging, staged, signal)
    await this.#health.during({ tier: to, doing: 'writing', signal }, () =>
      this.#land(staging, staged, to, target.ids, copied, signal),
    )
    return copied
  }

  /** One job that copies, and sums the blocks where they are in memory. */
  async #copy(
    from: TierStore<TierName>,
    source: ImmutableBlocks,
    to: TierStore,
    targetIds: Uint32Array,
    signal: AbortSignal | undefined,
  ): Promise<Copied> {
    const { ids, hashes } = source
    const { runs } = planCopy({ from: from.layout, fromIds: from.placesOf(ids), to: to.layout, toIds: targetIds })
    const taken = this.#sums(from, ids, to, targetIds)
    const job = taken === undefined ? { runs } : { runs, sums: taken.sums }
    const standing = await from.whileStanding(source, () => this.#transfers.submit(job, signal, priorityOf(from, to)))
    if (taken === undefined || !this.#isJudged(from)) return { sound: standing, checksums: taken?.into }
    const sound = this.#integrity.soundPrefix(from, ids.subarray(0, standing), hashes.subarray(0, standing), taken.into)
    return { sound, checksums: taken.into }
  }

  /**
   * What is read from a file is summed after it arrived, for it cannot be summed before; else a block is summed before it is
   * copied, so that it is known by what its first tier held. Brought up to a device, a known block is judged by its copy there.
   * Without integrity only what goes to disk is summed: its record outlives this configuration.
   */
  #sums(from: TierStore, ids: Uint32Array, to: TierStore, targetIds: Uint32Array): Sums | undefined {
    if (!this.#isJudged(from) && (from.onDisk || !to.onDisk)) return undefined
    const isKnown = (): boolean => ids.every((id) => from.checksumOf(id) !== undefined)
    const isJudgedByCopy = from.onDisk || (from.name === 'host' && to.name === 'device' && isKnown())
    return isJudgedByCopy ? sumsOf(to.layout, targetIds, 'after') : sumsOf(from.layout, ids, 'before')
  }

  /** What another process may overwrite is judged also without integrity. */
  #isJudged(from: TierStore): boolean {
    return this.#integrity.isEnabled || from.isReadOnly
  }

  /** The second half of a move through staging. What was verified there must arrive as it was. */
  async #land(
    staging: TierStore<'staging'>,
    staged: Uint32Array,
    to: TierStore,
    targetIds: Uint32Array,
    { sound, checksums }: Copied,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const toIds = targetIds.slice(0, sound)
    const { runs } = planCopy({ from: staging.layout, fromIds: staged.slice(0, sound), to: to.layout, toIds })
    if (checksums === undefined) return this.#transfers.submit({ runs }, signal)
    const { sums, into } = sumsOf(to.layout, toIds, 'after')
    await this.#transfers.submit({ runs, sums }, signal)
    const changed = into.findIndex((sum, index) => sum !== checksums[index])
    if (changed >= 0)
      throw new StorageIoError(
        `Block ${toIds[changed]} of the ${to.name} tier is not what was copied there (one of ${sound}). The memory or its bus fails; nothing was registered.`,
      )
  }

  async #commit(
    from: TierStore<TierName>,
    to: TierStore<TierName>,
    target: MutableBlocks,
    hashes: BlockHashes,
    { sound, checksums }: Copied,
  ): Promise<ImmutableBlocks> {
    assert(checksums !== undefined || !to.onDisk, 'a block goes to disk without a checksum')
    const [arrived, lost] = target.split(sound)
    lost.release()
    using named = arrived
    const names = hashes.subarray(0, sound)
    await to.record(named.ids, names, checksums?.subarray(0, sound))
    const blocks = to.register(named, names, { duplicates: 'reject' })
    this.#counters.edge(from.name, to.name).blocks += blocks.count
    return blocks
  }

  #countCopy(from: TierStore<TierName>, to: TierStore<TierName>, blocks: number, started: number): void {
    const edge = this.#counters.edge(from.name, to.name)
    edge.bytes += blocks * to.blockBytes
    edge.transfers++
    edge.seconds += (performance.now() - started) / 1000
  }
}

/** Down to the next tier nobody waits for; up somebody does. */
function priorityOf(from: TierStore, to: TierStore): TransferPriority {
  const isDown = to.onDisk || (from.name === 'device' && to.name === 'host')
  return isDown ? 'offload' : 'onboard'
}

/** Which of two tiers a failing copy speaks about: files fail more often than devices, and those more often than memory. */
function undertaking(from: TierStore<TierName>, to: TierStore<TierName>): Undertaking {
  const suspects: readonly StoreName[] = ['disk', 'device', 'host']
  const isTo = suspects.indexOf(to.name) < suspects.indexOf(from.name)
  return isTo ? { tier: to, doing: 'writing' } : { tier: from, doing: 'reading' }
}

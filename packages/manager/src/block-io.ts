import { type BlockHashes, invalidArgument, type TierName } from '@kvbm/core'
import { planBytes, planCopy, planPieces } from '@kvbm/layout'
import type { ImmutableBlocks, MutableBlocks } from '@kvbm/pool'
import { type NativeTransferRuntime, wrapMemory } from '@kvbm/storage'
import { chainOf, type Mover } from './mover.js'
import { sliceRun } from './slice-run.js'
import type { Staging } from './staging.js'
import type { TierStore } from './tier.js'
import type { WaitOptions } from './within.js'

export interface BlockIoOptions {
  readonly runtime: NativeTransferRuntime
  readonly staging: Staging
  readonly mover: Mover
}

/** Where blocks meet the bytes of the caller, always in canonical order: layer, outer, token, inner. */
export class BlockIo {
  readonly #options: BlockIoOptions

  constructor(options: BlockIoOptions) {
    this.#options = options
  }

  /** Fills `blocks` from `bytes` (`blocks.count × blockBytes`). On disk the bytes pass through staging. */
  async write(tier: TierStore, blocks: MutableBlocks, bytes: Uint8Array, wait: WaitOptions): Promise<void> {
    expectSize('bytes', bytes, blocks.count * tier.blockBytes)
    if (!tier.onDisk) return this.#copyBytes(tier, blocks.ids, bytes, 'write', wait)
    await tier.slots!.reserve(blocks.ids)
    await tier.slots!.invalidate(blocks.ids)
    const { staging } = this.#options
    for (let at = 0; at < blocks.count; at += staging.blocksMax) {
      const ids = blocks.ids.slice(at, at + staging.blocksMax)
      const part = bytes.subarray(at * tier.blockBytes, (at + ids.length) * tier.blockBytes)
      await staging.use(ids.length, wait, async (staged) => {
        await this.#copyBytes(staging.store, staged.ids, part, 'write', wait)
        await this.#stagedToDisk(staged.ids, tier, ids)
      })
    }
  }

  /**
   * The blocks' bytes. A block whose bytes do not fit its checksum is taken out of use and ends the result early: the result
   * holds `result.length ÷ blockBytes` sound blocks.
   */
  async read(
    tier: TierStore,
    blocks: ImmutableBlocks | MutableBlocks,
    into: Uint8Array | undefined,
    wait: WaitOptions,
  ): Promise<Uint8Array> {
    const size = blocks.count * tier.blockBytes
    const bytes = into ?? new Uint8Array(size)
    expectSize('into', bytes, size)
    const sound = await (tier.onDisk
      ? this.#readDisk(tier, blocks, bytes, wait)
      : this.#readMemory(tier, blocks, bytes, wait))
    return bytes.subarray(0, sound * tier.blockBytes)
  }

  /** Zero-copy: one array if block `index` is one run of memory, else its runs in canonical order. */
  view(tier: TierStore, blocks: ImmutableBlocks | MutableBlocks, index: number): Uint8Array | readonly Uint8Array[] {
    const ids = blocks.ids
    if (!(Number.isInteger(index) && index >= 0 && index < ids.length))
      throw invalidArgument('index', `0 to ${ids.length - 1}`, index)
    tier.layout.commit(ids.subarray(index, index + 1))
    const view = tier.layout.view(ids[index]!)
    if (view === undefined)
      throw new TypeError(
        `Blocks of the ${tier.name} tier are not memory that the CPU can address: use read() or onboard them.`,
      )
    return view
  }

  /** Names disk blocks that were written: the record first, so that the name survives a crash. */
  async registerOnDisk(tier: TierStore, blocks: MutableBlocks, hashes: BlockHashes): Promise<ImmutableBlocks> {
    if (hashes.count !== blocks.count)
      throw invalidArgument('hashes.count', `${blocks.count}, one per block`, hashes.count)
    const checksums = Uint32Array.from(blocks.ids, (id) => {
      const checksum = tier.checksumOf(id)
      if (checksum === undefined)
        throw new TypeError(`Disk block ${id} was not written: call write() before register().`)
      return checksum
    })
    const ids = blocks.ids.slice()
    await tier.slots!.commit({ slots: ids, hashes: hashes.words, checksums, ...chainOf(hashes) })
    const kept = blocks.register(hashes)
    for (const [index, id] of ids.entries()) if (kept.ids[index] === id) tier.recordChecksum(id, checksums[index]!)
    return kept
  }

  async #readMemory(
    tier: TierStore,
    blocks: ImmutableBlocks | MutableBlocks,
    bytes: Uint8Array,
    wait: WaitOptions,
  ): Promise<number> {
    const ids = blocks.ids.slice()
    const sums = new Uint32Array(ids.length)
    await this.#copyBytes(tier, ids, bytes, 'read', wait, sums)
    const bad = ids.findIndex((id, index) => (tier.checksumOf(id) ?? sums[index]) !== sums[index])
    if (bad < 0) return ids.length
    if ('hashes' in blocks)
      this.#options.mover.quarantine(tier, ids.slice(bad, bad + 1), blocks.hashes.subarray(bad, bad + 1))
    return bad
  }

  async #readDisk(
    tier: TierStore,
    blocks: ImmutableBlocks | MutableBlocks,
    bytes: Uint8Array,
    wait: WaitOptions,
  ): Promise<number> {
    if (!('hashes' in blocks)) throw new TypeError('Disk blocks can be read back once they are registered.')
    const { staging } = this.#options
    for (let at = 0; at < blocks.count; at += staging.blocksMax) {
      const count = Math.min(blocks.count - at, staging.blocksMax)
      const part = bytes.subarray(at * tier.blockBytes, (at + count) * tier.blockBytes)
      const sound = await staging.use(count, wait, (staged) => this.#readStaged(tier, blocks, at, staged, part, wait))
      if (sound < count) return at + sound
    }
    return blocks.count
  }

  async #readStaged(
    tier: TierStore,
    blocks: ImmutableBlocks,
    at: number,
    staged: MutableBlocks,
    bytes: Uint8Array,
    wait: WaitOptions,
  ): Promise<number> {
    const { staging, mover } = this.#options
    const part = sliceRun(blocks, at, staged.count)
    try {
      const sound = await mover.fetch(tier, part, staging.store, staged, wait)
      await this.#copyBytes(
        staging.store,
        staged.ids.slice(0, sound),
        bytes.subarray(0, sound * tier.blockBytes),
        'read',
        wait,
      )
      return sound
    } finally {
      part.release()
    }
  }

  async #stagedToDisk(staged: Uint32Array, tier: TierStore, ids: Uint32Array): Promise<void> {
    const { staging, runtime } = this.#options
    const sums = new Uint32Array(staged.length)
    const { runs } = planCopy({ from: staging.store.layout, fromIds: staged, to: tier.layout, toIds: ids })
    await runtime.submit({
      runs,
      sums: { pieces: planPieces(staging.store.layout, staged), into: sums, when: 'before' },
    })
    for (const [index, id] of ids.entries()) tier.recordChecksum(id, sums[index]!)
  }

  /** Between the caller's bytes and tier memory. A copy that has begun is awaited, whatever the signal says: both sides are in use. */
  async #copyBytes(
    tier: TierStore,
    ids: Uint32Array,
    bytes: Uint8Array,
    direction: 'write' | 'read',
    wait: WaitOptions,
    sums?: Uint32Array,
  ): Promise<void> {
    if (ids.length === 0) return
    tier.layout.commit(ids)
    const outside = wrapMemory(bytes, { runtime: this.#options.runtime })
    const { runs } = planBytes({ layout: tier.layout, ids, region: outside.regionId, direction })
    const job =
      sums === undefined
        ? { runs }
        : { runs, sums: { pieces: planPieces(tier.layout, ids), into: sums, when: 'before' as const } }
    try {
      await this.#options.runtime.submit(job, wait.signal === undefined ? {} : { signal: wait.signal })
    } finally {
      await outside.close()
    }
  }
}

function expectSize(name: string, bytes: Uint8Array, expected: number): void {
  if (!(bytes instanceof Uint8Array)) throw new TypeError(`${name}: expected a Uint8Array, got ${typeof bytes}`)
  if (bytes.byteLength !== expected)
    throw invalidArgument(`${name}.byteLength`, `${expected} (blocks × bytes of a block)`, bytes.byteLength)
}

/** The tier a handle belongs to. */
export function tierOf(stores: ReadonlyMap<TierName, TierStore>, blocks: ImmutableBlocks | MutableBlocks): TierStore {
  for (const store of stores.values()) if (store.pool === blocks.pool) return store
  throw new TypeError('These blocks do not belong to this manager.')
}

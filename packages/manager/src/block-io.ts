import { type BlockHashes, invalidArgument, type TierName, type TransferJob } from '@kvbm/core'
import { planBytes, planCopy } from '@kvbm/layout'
import type { ImmutableBlocks, MutableBlocks } from '@kvbm/pool'
import { wrapMemory } from '@kvbm/storage'
import { type Integrity, sumsOf } from './integrity.js'
import type { Mover } from './mover.js'
import { pinned } from './pinned.js'
import { sliceRun } from './slice-run.js'
import type { Staging } from './staging.js'
import type { TierHealth } from './tier-health.js'
import type { Doing, TierStore } from './tier-store.js'
import type { Transfers } from './transfers.js'

export interface BlockIoOptions {
  readonly transfers: Transfers
  readonly integrity: Integrity
  readonly health: TierHealth
  readonly staging: Staging
  readonly mover: Mover
}

type Tier = TierStore<TierName>
type Blocks = ImmutableBlocks | MutableBlocks

interface Work<T> {
  readonly tier: Tier
  readonly doing: Doing
  readonly blocks: readonly Blocks[]
  readonly signal?: AbortSignal | undefined
  readonly late?: (result: T) => void
}

/** Blocks of a store and as many bytes of the caller, in canonical order. */
interface Exchange {
  readonly store: TierStore
  readonly ids: Uint32Array
  readonly bytes: Uint8Array
  readonly direction: 'write' | 'read'
}

/**
 * Where blocks meet the bytes of the caller, always in canonical order: layer, outer, token, inner. Blocks are pinned for as long
 * as a copy uses them, whatever the caller does with their handles.
 */
export class BlockIo {
  readonly #options: BlockIoOptions

  constructor(options: BlockIoOptions) {
    this.#options = options
  }

  /** Fills `blocks` from `bytes` (`blocks.count × blockBytes`). On disk the bytes pass through staging. */
  async write(tier: Tier, blocks: MutableBlocks, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    if (isNamed(blocks)) throw new TypeError('write: these blocks have names already. Others may be reading them.')
    expectSize('bytes', bytes, blocks.count * tier.blockBytes)
    if (blocks.count === 0) return
    if (tier.onDisk) return this.#writeDisk(tier, blocks, bytes, signal)
    const exchange = { store: tier, ids: blocks.ids, bytes, direction: 'write' } as const
    await this.#run({ tier, doing: 'writing', blocks: [blocks], signal }, () => this.#exchange(exchange, signal))
  }

  /**
   * The blocks' bytes. A block whose bytes do not fit its checksum is taken out of use and ends the result early: the result
   * holds `result.length ÷ blockBytes` sound blocks.
   */
  async read(tier: Tier, blocks: Blocks, into: Uint8Array | undefined, signal?: AbortSignal): Promise<Uint8Array> {
    const size = blocks.count * tier.blockBytes
    const bytes = into ?? new Uint8Array(size)
    expectSize('into', bytes, size)
    if (blocks.count === 0) return bytes
    const sound = tier.onDisk
      ? await this.#readDisk(tier, blocks, bytes, signal)
      : await this.#readMemory(tier, blocks, bytes, signal)
    return bytes.subarray(0, sound * tier.blockBytes)
  }

  /** Zero-copy: one array if block `index` is one run of memory, else its runs in canonical order. */
  view(tier: Tier, blocks: Blocks, index: number): Uint8Array | readonly Uint8Array[] {
    const { ids } = blocks
    if (!(Number.isInteger(index) && index >= 0 && index < ids.length))
      throw invalidArgument('index', `an integer from 0 to ${ids.length - 1}`, index)
    tier.layout.commit(ids.subarray(index, index + 1))
    const view = tier.layout.view(ids[index]!)
    if (view !== undefined) return view
    throw new TypeError(
      `view: the CPU cannot address blocks of the ${tier.name} tier. Use read(), or onboard them to a memory tier.`,
    )
  }

  /** Names disk blocks that were written: the record first, so that the name survives a crash. */
  async registerOnDisk(tier: Tier, blocks: MutableBlocks, hashes: BlockHashes): Promise<ImmutableBlocks> {
    const checksums = writtenChecksums(tier, blocks)
    expectNames(blocks, hashes)
    const late = (kept: ImmutableBlocks): void => kept.release()
    return this.#run({ tier, doing: 'writing', blocks: [blocks], late }, async () => {
      const ids = blocks.ids.slice()
      await tier.record(ids, hashes, checksums)
      try {
        return blocks.register(hashes)
      } catch (error) {
        await tier.slots?.invalidate(ids)
        throw error
      }
    })
  }

  async #writeDisk(tier: Tier, blocks: MutableBlocks, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    const { staging, transfers } = this.#options
    await this.#run({ tier, doing: 'writing', blocks: [blocks], signal }, () => tier.prepare(blocks.ids))
    for (let at = 0; at < blocks.count; at += staging.blocksMax) {
      transfers.admit(signal)
      const ids = blocks.ids.slice(at, at + staging.blocksMax)
      const part = bytes.subarray(at * tier.blockBytes, (at + ids.length) * tier.blockBytes)
      await staging.use(ids.length, signal, (staged) =>
        this.#run({ tier, doing: 'writing', blocks: [blocks, staged], signal }, () =>
          this.#writeStaged(tier, ids, part, staged.ids, signal),
        ),
      )
    }
  }

  async #writeStaged(
    tier: Tier,
    ids: Uint32Array,
    bytes: Uint8Array,
    staged: Uint32Array,
    signal?: AbortSignal,
  ): Promise<void> {
    const { store } = this.#options.staging
    await this.#exchange({ store, ids: staged, bytes, direction: 'write' }, signal)
    const { runs } = planCopy({ from: store.layout, fromIds: staged, to: tier.layout, toIds: ids })
    const { sums, into } = sumsOf(store.layout, staged, 'before')
    await this.#options.transfers.submit({ runs, sums }, signal)
    for (const [index, id] of ids.entries()) tier.recordChecksum(id, into[index]!)
  }

  async #readMemory(tier: Tier, blocks: Blocks, bytes: Uint8Array, signal?: AbortSignal): Promise<number> {
    const { integrity } = this.#options
    const { ids } = blocks
    const hashes = integrity.isEnabled && isNamed(blocks) ? blocks.hashes : undefined
    return this.#run({ tier, doing: 'reading', blocks: [blocks], signal }, async () => {
      const taken = hashes === undefined ? undefined : sumsOf(tier.layout, ids, 'before')
      await this.#exchange({ store: tier, ids, bytes, direction: 'read' }, signal, taken?.sums)
      return taken === undefined ? ids.length : integrity.soundPrefix(tier, ids, hashes!, taken.into)
    })
  }

  async #readDisk(tier: Tier, blocks: Blocks, bytes: Uint8Array, signal?: AbortSignal): Promise<number> {
    if (!isNamed(blocks)) throw new TypeError('read: blocks on disk can be read back once they are registered.')
    const { staging, transfers } = this.#options
    using held = blocks.retain()
    for (let at = 0; at < held.count; at += staging.blocksMax) {
      transfers.admit(signal)
      using part = sliceRun(held, at, Math.min(held.count - at, staging.blocksMax))
      const target = bytes.subarray(at * tier.blockBytes, (at + part.count) * tier.blockBytes)
      const sound = await staging.use(part.count, signal, (staged) =>
        this.#readStaged(tier, part, staged, target, signal),
      )
      if (sound < part.count) return at + sound
    }
    return held.count
  }

  async #readStaged(
    tier: Tier,
    part: ImmutableBlocks,
    staged: MutableBlocks,
    bytes: Uint8Array,
    signal?: AbortSignal,
  ): Promise<number> {
    const { staging, mover } = this.#options
    const sound = await mover.fetch(tier, part, { store: staging.store, blocks: staged }, signal)
    const ids = staged.ids.slice(0, sound)
    const exchange = {
      store: staging.store,
      ids,
      bytes: bytes.subarray(0, sound * tier.blockBytes),
      direction: 'read',
    } as const
    await this.#run({ tier, doing: 'reading', blocks: [staged], signal }, () => this.#exchange(exchange, signal))
    return sound
  }

  /** `work` on blocks, which stay pinned until it has ended. */
  #run<T>({ tier, doing, blocks, signal, late }: Work<T>, work: () => Promise<T>): Promise<T> {
    const { health, transfers } = this.#options
    const whilePinned = async (): Promise<T> => {
      using _pin = pinned(...blocks)
      return await work()
    }
    const what = `${doing === 'reading' ? 'Reading' : 'Writing'} blocks of the ${tier.name} tier`
    const options = { signal, ...(late === undefined ? {} : { late }) }
    return health.during({ tier, doing, signal }, () => transfers.run(what, whilePinned, options))
  }

  /** Between the caller's bytes and memory of ours. */
  async #exchange(
    { store, ids, bytes, direction }: Exchange,
    signal: AbortSignal | undefined,
    sums?: TransferJob['sums'],
  ): Promise<void> {
    if (ids.length === 0) return
    const { transfers } = this.#options
    const outside = wrapMemory(bytes, { runtime: transfers.runtime })
    try {
      const { runs } = planBytes({ layout: store.layout, ids, region: outside.regionId, direction })
      await transfers.submit(sums === undefined ? { runs } : { runs, sums }, signal)
    } finally {
      await outside.close()
    }
  }
}

function isNamed(blocks: Blocks): blocks is ImmutableBlocks {
  return 'hashes' in blocks
}

function expectSize(name: string, bytes: Uint8Array, expected: number): void {
  if (!(bytes instanceof Uint8Array)) throw new TypeError(`${name}: expected a Uint8Array, got ${typeof bytes}`)
  if (bytes.byteLength !== expected)
    throw invalidArgument(`${name}.byteLength`, `${expected} (blocks × bytes of a block)`, bytes.byteLength)
}

/** The same that the pool will ask, asked before anything is written to disk. */
function expectNames(blocks: MutableBlocks, hashes: BlockHashes): void {
  if (hashes.count !== blocks.count)
    throw invalidArgument('hashes.count', `${blocks.count}, one per block`, hashes.count)
  if (hashes.isCompatibleWith({ algorithm: blocks.pool.hashAlgorithm, pageSize: blocks.pool.pageSize })) return
  throw invalidArgument(
    'hashes',
    `${blocks.pool.hashAlgorithm} hashes of ${blocks.pool.pageSize} tokens`,
    `${hashes.algorithm} of ${hashes.pageSize}`,
  )
}

function writtenChecksums(tier: Tier, blocks: MutableBlocks): Uint32Array {
  return Uint32Array.from(blocks.ids, (id) => {
    const checksum = tier.checksumOf(id)
    if (checksum === undefined) throw new TypeError(`register: disk block ${id} was not written. Call write() first.`)
    return checksum
  })
}

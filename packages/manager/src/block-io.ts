import { type BlockHashes, invalidArgument, type TierName, type TransferJob } from '@kvbm/core'
import { planBytes, planCopy } from '@kvbm/layout'
import type { ImmutableBlocks, MutableBlocks } from '@kvbm/pool'
import { wrapMemory } from '@kvbm/storage'
import { type Integrity, sumsOf } from './integrity.js'
import type { Mover } from './mover.js'
import { filled, pinned } from './pinned.js'
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
  /** Blocks that are read, or pass bytes on. */
  readonly pins?: readonly Blocks[]
  /** Blocks that are written. */
  readonly fills?: MutableBlocks
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
 * as a copy uses them, whatever the caller does with their handles; and those of one handle have one writer at a time, which has
 * ended when its last copy has, not when its caller gave up.
 */
export class BlockIo {
  readonly #options: BlockIoOptions

  constructor(options: BlockIoOptions) {
    this.#options = options
  }

  /**
   * Fills `blocks` from `bytes` (`blocks.count × blockBytes`), after whatever fills them already. On disk the bytes pass through
   * staging.
   */
  async write(tier: Tier, blocks: MutableBlocks, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    if (isNamed(blocks)) throw new TypeError('write: these blocks have names already. Others may be reading them.')
    expectSize('bytes', bytes, blocks.count * tier.blockBytes)
    if (blocks.count === 0) return
    await this.#options.transfers.alone(blocks, signal, () =>
      tier.onDisk ? this.#writeDisk(tier, blocks, bytes, signal) : this.#writeMemory(tier, blocks, bytes, signal),
    )
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

  /** Names disk blocks that were written: the record first, so that the name survives a crash. Nobody writes or names them meanwhile. */
  async registerOnDisk(tier: Tier, blocks: MutableBlocks, hashes: BlockHashes): Promise<ImmutableBlocks> {
    blocks.expectNameable(hashes)
    const checksums = writtenChecksums(tier, blocks)
    const late = (kept: ImmutableBlocks): void => kept.release()
    return this.#run({ tier, doing: 'writing', pins: [blocks], late }, () =>
      this.#recordAndRegister(tier, blocks, hashes, checksums),
    )
  }

  async #recordAndRegister(
    tier: Tier,
    blocks: MutableBlocks,
    hashes: BlockHashes,
    checksums: Uint32Array,
  ): Promise<ImmutableBlocks> {
    const ids = blocks.ids.slice()
    {
      using _fill = filled(blocks)
      await tier.record(ids, hashes, checksums)
    }
    try {
      // In the turn in which the filling ended, so that nobody who waits for that is first.
      return tier.register(blocks, hashes)
    } catch (error) {
      await tier.slots?.invalidate(ids)
      throw error
    }
  }

  #writeMemory(tier: Tier, blocks: MutableBlocks, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    const exchange = { store: tier, ids: blocks.ids, bytes, direction: 'write' } as const
    return this.#run({ tier, doing: 'writing', fills: blocks, signal }, () => this.#exchange(exchange, signal))
  }

  async #writeDisk(tier: Tier, blocks: MutableBlocks, bytes: Uint8Array, signal?: AbortSignal): Promise<void> {
    const { staging, transfers } = this.#options
    await this.#run({ tier, doing: 'writing', fills: blocks, signal }, () => tier.prepare(blocks.ids))
    for (let at = 0; at < blocks.count; at += staging.blocksMax) {
      transfers.admit(signal)
      const ids = blocks.ids.slice(at, at + staging.blocksMax)
      const part = bytes.subarray(at * tier.blockBytes, (at + ids.length) * tier.blockBytes)
      await staging.use(ids.length, signal, (staged) =>
        this.#run({ tier, doing: 'writing', fills: blocks, pins: [staged], signal }, () =>
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
    return this.#run({ tier, doing: 'reading', pins: [blocks], signal }, async () => {
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
    await this.#run({ tier, doing: 'reading', pins: [staged], signal }, () => this.#exchange(exchange, signal))
    return sound
  }

  /** `work` on blocks, which stay pinned until it has ended. */
  #run<T>({ tier, doing, pins = [], fills, signal, late }: Work<T>, work: () => Promise<T>): Promise<T> {
    const { health, transfers } = this.#options
    const whilePinned = async (): Promise<T> => {
      using _pin = pinned(...pins)
      using _fill = fills && filled(fills)
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

function writtenChecksums(tier: Tier, blocks: MutableBlocks): Uint32Array {
  return Uint32Array.from(blocks.ids, (id) => {
    const checksum = tier.checksumOf(id)
    if (checksum === undefined) throw new TypeError(`register: disk block ${id} was not written. Call write() first.`)
    return checksum
  })
}

import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type BlockShape, DisposeStack } from '@kvbm/core'
import { createLayout, type Layout, layoutStorageBytes, planCopy, planPieces } from '@kvbm/layout'
import {
  createTransferRuntime,
  DiskAllocator,
  type SlotFile,
  SystemAllocator,
  type TransferRuntimeOptions,
} from '@kvbm/storage'
import type { Amount } from '../harness.js'
import { scattered } from '../scattered.js'
import type { DiskWork } from './disk-work.js'

/** Bytes of one transfer, and how many transfers are under way, as in a busy manager. */
const BATCH_BYTES = 16 * 2 ** 20
const BATCHES_AT_A_TIME = 4
/** No two batches in flight share memory. Far more than the processor's nearer caches hold, as in a tier. */
export const MEMORY_BYTES = BATCH_BYTES * BATCHES_AT_A_TIME

/** The slots of a disk tier beside a tier's memory; blocks go between them with records and checksums. */
export class DiskTier {
  readonly #directory: string
  readonly #work: DiskWork
  readonly #owned = new DisposeStack()
  readonly #runtime
  #host!: Layout
  #slots!: SlotFile
  #disk!: Layout
  #sums!: Uint32Array
  #fresh = 0
  #round = 0

  private constructor(directory: string, work: DiskWork, options: TransferRuntimeOptions) {
    this.#directory = directory
    this.#work = work
    this.#runtime = createTransferRuntime(options)
    this.#owned.defer(() => this.#runtime.close())
  }

  static async create(directory: string, work: DiskWork, options: TransferRuntimeOptions = {}): Promise<DiskTier> {
    const tier = new DiskTier(directory, work, options)
    await tier.#open()
    return tier
  }

  /** One round; all transfers have ended. */
  async run(): Promise<Amount> {
    const { access, roundBytes } = this.#work
    if (access === 'first-write') await this.#openFresh()
    const ids = scattered(this.#slots.numSlots, ++this.#round).subarray(0, roundBytes / this.#work.blockBytes)
    const cpu = process.cpuUsage()
    const started = performance.now()
    await this.#move(ids, access === 'read' ? (...batch) => this.#read(...batch) : (...batch) => this.#write(...batch))
    const ms = performance.now() - started
    const { user, system } = process.cpuUsage(cpu)
    return { amount: roundBytes, ms, cpuMs: (user + system) / 1000 }
  }

  /** How the file was opened, in words. */
  describe(): string {
    const { facts } = this.#slots.describe()
    return `Its file is read and written ${facts.directIo === true ? 'past' : 'through'} the page cache.`
  }

  /** A mebibyte and more of page-aligned memory. */
  get memory(): Uint8Array {
    return this.#host.storages[0]!.bytes(0, 2 ** 20)!
  }

  close(): Promise<void> {
    return this.#owned.close()
  }

  async #open(): Promise<void> {
    const numBlocks = MEMORY_BYTES / this.#work.blockBytes
    const geometry = { type: 'fully-contiguous' as const, shape: shapeOf(this.#work.blockBytes), numBlocks }
    const allocator = new SystemAllocator({ runtime: this.#runtime })
    const memory = this.#owned.use(await allocator.allocate({ sizeBytes: layoutStorageBytes(geometry)[0]! }))
    this.#host = createLayout({ ...geometry, storages: [memory] })
    for (let id = 0; id < numBlocks; id++) (this.#host.view(id) as Uint8Array).fill(id + 1)
    if (this.#work.access === 'first-write') return this.#openFresh()
    await this.#openSlots('kept', this.#work.fileBytes)
    await this.#slots.reserve(all(this.#slots))
    await this.#move(all(this.#slots), (...batch) => this.#write(...batch))
  }

  async #openFresh(): Promise<void> {
    await this.#slots?.close()
    await rm(join(this.#directory, `fresh${this.#fresh}`), { recursive: true, force: true })
    await this.#openSlots(`fresh${++this.#fresh}`, this.#work.roundBytes)
    await this.#slots.reserve(all(this.#slots))
  }

  async #openSlots(name: string, fileBytes: number): Promise<void> {
    const { blockBytes } = this.#work
    const numSlots = fileBytes / blockBytes
    const allocator = new DiskAllocator(join(this.#directory, name), { runtime: this.#runtime })
    this.#slots = await allocator.openSlots({ fingerprint: 'bench', numSlots, slotBytes: blockBytes })
    const { storage } = this.#slots
    this.#owned.use(this.#slots)
    this.#sums = new Uint32Array(numSlots)
    this.#disk = createLayout({
      type: 'fully-contiguous',
      shape: shapeOf(blockBytes),
      numBlocks: numSlots,
      storages: [storage],
    })
  }

  /** Batches one after another, some at a time. */
  async #move(ids: Uint32Array, batch: (ids: Uint32Array, hostIds: Uint32Array) => Promise<void>): Promise<void> {
    const blocks = BATCH_BYTES / this.#work.blockBytes
    let next = 0
    // Each lane has memory of its own: batches end in any order.
    const places = MEMORY_BYTES / this.#work.blockBytes / BATCHES_AT_A_TIME
    const lane = async (_: unknown, index: number): Promise<void> => {
      for (let place = 0; next < ids.length; place += blocks) {
        const part = ids.subarray(next, next + blocks)
        next += blocks
        await batch(
          part,
          part.map((_slot, at) => index * places + ((place + at) % places)),
        )
      }
    }
    await Promise.all(Array.from({ length: BATCHES_AT_A_TIME }).map(lane))
  }

  async #write(slots: Uint32Array, hostIds: Uint32Array): Promise<void> {
    await this.#slots.reserve(slots)
    await this.#slots.invalidate(slots)
    const { runs } = planCopy({ from: this.#host, fromIds: hostIds, to: this.#disk, toIds: slots })
    const into = new Uint32Array(slots.length)
    await this.#runtime.submit({ runs, sums: { pieces: planPieces(this.#host, hostIds), into, when: 'before' } })
    slots.forEach((slot, index) => {
      this.#sums[slot] = into[index]!
    })
    await this.#slots.commit({
      slots,
      hashes: new Uint32Array(4 * slots.length).fill(1),
      parents: new Uint32Array(4 * slots.length),
      positions: slots,
      checksums: into,
    })
  }

  async #read(slots: Uint32Array, hostIds: Uint32Array): Promise<void> {
    const { runs } = planCopy({ from: this.#disk, fromIds: slots, to: this.#host, toIds: hostIds })
    const into = new Uint32Array(slots.length)
    await this.#runtime.submit({ runs, sums: { pieces: planPieces(this.#host, hostIds), into, when: 'after' } })
    const wrong = slots.find((slot, index) => this.#sums[slot] !== into[index])
    if (wrong !== undefined) throw new Error(`Slot ${wrong} was read with another checksum than it was written with.`)
  }
}

function shapeOf(blockBytes: number): BlockShape {
  return { numLayers: 16, outerDim: 2, pageSize: 16, innerDim: blockBytes / 1024, dtype: 'fp16' }
}

function all({ numSlots }: SlotFile): Uint32Array {
  return Uint32Array.from({ length: numSlots }, (_, slot) => slot)
}

import { invalidArgument, nonNegativeInteger, positiveInteger, type TransferJob } from '@kvbm/core'
import { ABI_VERSION, type Binding, type BindingDescription, type CommitResult, type FileRegion, type LockHandle, type MemoryRegion, type OpenFileOptions, type SlotRecords, type SlotRows } from '../binding.js'
import { hashChain, sha256Words } from './chained-sha256.js'
import { crc32c } from './crc32c.js'
import { PortableEngine } from './engine.js'
import { PortableFile } from './file.js'
import { lockFile } from './file-lock.js'
import { PortableMemory } from './memory.js'
import { PortableRegions } from './regions.js'
import { decodeRecords, encodeRecords, RECORD_BYTES } from './slot-records.js'

const PAGE_BYTES = 4096
const NO_PAGE_LOCK = 'memory cannot be locked without the native core'
const NO_DIRECT_IO = 'direct I/O needs the native core'

/** The border in plain Node: slower, never wrong. Oracle of the native core, and what runs where that cannot be built. */
export class PortableBinding implements Binding {
  readonly #regions = new PortableRegions()
  readonly #engines = new Map<number, PortableEngine>()
  #nextEngine = 1

  describe(): BindingDescription {
    const notes = [NO_DIRECT_IO, NO_PAGE_LOCK, 'copies run on the JavaScript thread']
    return { kind: 'portable', abi: ABI_VERSION, sha256: 'node-crypto', crc32c: 'table', directIo: false, pageLocking: false, notes }
  }

  createMemory(sizeBytes: number): MemoryRegion {
    positiveInteger('sizeBytes', sizeBytes)
    return { id: this.#regions.add({ memory: new PortableMemory(sizeBytes) }), sizeBytes }
  }

  adoptMemory(bytes: Uint8Array): MemoryRegion {
    if ((bytes.buffer as ArrayBuffer & { readonly resizable?: boolean }).resizable === true) throw new TypeError('bytes: a resizable buffer may move; give one of fixed size')
    return { id: this.#regions.add({ memory: new PortableMemory(bytes.byteLength, bytes) }), sizeBytes: bytes.byteLength }
  }

  commitMemory(region: number, offset: number, length: number, lock: boolean): CommitResult {
    const memory = this.#regions.memory(region)
    if (!(offset >= 0 && length >= 0 && offset + length <= memory.sizeBytes)) throw invalidArgument('length', `within ${memory.sizeBytes} bytes from ${offset}`, length)
    if (!lock) return { locked: 'no', hugePages: false, note: '' }
    for (const piece of memory.pieces(offset, length)) for (let at = 0; at < piece.length; at += PAGE_BYTES) piece[at] = piece[at]!
    return { locked: 'touched', hugePages: false, note: NO_PAGE_LOCK }
  }

  alignmentOffset(region: number, alignment: number): number {
    this.#regions.memory(region)
    positiveInteger('alignment', alignment)
    return 0
  }

  windowOf(region: number, index: number): ArrayBuffer {
    return this.#regions.memory(region).window(index)
  }

  async openFile(options: OpenFileOptions): Promise<FileRegion> {
    const file = await PortableFile.open(options)
    const sizeBytes = await file.size()
    return { id: this.#regions.add({ file }), sizeBytes, direct: false, alignment: 1, note: options.direct ? NO_DIRECT_IO : '' }
  }

  async reserveFile(region: number, offset: number, length: number): Promise<'allocated' | 'zero-filled' | 'sparse'> {
    return this.#regions.file(region).reserve(nonNegativeInteger('offset', offset) + nonNegativeInteger('length', length))
  }

  async readFile(region: number, offset: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(nonNegativeInteger('length', length))
    const done = await this.#regions.file(region).read(bytes, nonNegativeInteger('offset', offset))
    return bytes.subarray(0, done)
  }

  async writeFile(region: number, offset: number, bytes: Uint8Array): Promise<void> {
    await this.#regions.file(region).write(bytes, nonNegativeInteger('offset', offset))
  }

  async syncFile(region: number): Promise<void> {
    await this.#regions.file(region).sync()
  }

  closeRegion(region: number): void {
    this.#regions.close(region)
  }

  createEngine({ threads }: { readonly threads: number }): number {
    positiveInteger('threads', threads)
    const id = this.#nextEngine++
    this.#engines.set(id, new PortableEngine(this.#regions))
    return id
  }

  async submit(engine: number, ticket: number, job: TransferJob): Promise<void> {
    await this.#engine(engine).submit(ticket, job)
  }

  cancel(engine: number, ticket: number): boolean {
    return this.#engine(engine).cancel(ticket)
  }

  async closeEngine(engine: number): Promise<void> {
    const found = this.#engines.get(engine)
    this.#engines.delete(engine)
    await found?.close()
  }

  crc32c(bytes: Uint8Array, seed = 0): number {
    return crc32c(bytes, seed)
  }

  sha256(bytes: Uint8Array): Uint32Array {
    return sha256Words(bytes)
  }

  hashBlocks(tokens: Uint32Array, pageSize: number, backing: Uint32Array): void {
    positiveInteger('pageSize', pageSize)
    const needed = 4 * (Math.floor(tokens.length / pageSize) + 1)
    if (backing.length < needed) throw invalidArgument('backing.length', `at least ${needed}`, backing.length)
    hashChain(tokens, pageSize, backing)
  }

  async readSlots(file: number, tableOffset: number, slotCount: number): Promise<SlotRecords> {
    return decodeRecords(await this.readFile(file, tableOffset, slotCount * RECORD_BYTES))
  }

  async writeSlots(file: number, tableOffset: number, rows: SlotRows): Promise<void> {
    const target = this.#regions.file(file)
    const records = encodeRecords(rows)
    for (const { from, to, slot } of runsOf(rows.slots)) await target.write(records.subarray(from * RECORD_BYTES, to * RECORD_BYTES), tableOffset + slot * RECORD_BYTES)
  }

  async clearSlots(file: number, tableOffset: number, slots: Uint32Array): Promise<void> {
    const target = this.#regions.file(file)
    for (const { from, to, slot } of runsOf(slots)) await target.write(new Uint8Array((to - from) * RECORD_BYTES), tableOffset + slot * RECORD_BYTES)
  }

  async lockFile(path: string): Promise<LockHandle | undefined> {
    return lockFile(path)
  }

  #engine(id: number): PortableEngine {
    const engine = this.#engines.get(id)
    if (engine === undefined) throw invalidArgument('engine', 'the number of an open engine', id)
    return engine
  }
}

/** Consecutive slots that go in one write. */
function* runsOf(slots: Uint32Array): Generator<{ from: number; to: number; slot: number }, void, void> {
  for (let from = 0; from < slots.length; ) {
    let to = from + 1
    while (to < slots.length && slots[to] === slots[to - 1]! + 1) to++
    yield { from, to, slot: slots[from]! }
    from = to
  }
}

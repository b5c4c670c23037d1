import { invalidArgument, positiveInteger, type TransferJob } from '@kvbm/core'
import {
  bytesArgument,
  ENGINE_THREADS_MAX,
  flagsArgument,
  integerArgument,
  numberArgument,
  objectArgument,
  paceArgument,
  recoverArgument,
  textArgument,
  wordArgument,
  wordsArgument,
} from '../arguments.js'
import {
  ABI_VERSION,
  type Binding,
  type BindingDescription,
  type CommitResult,
  type DiskPace,
  type EngineOptions,
  type FileRegion,
  type LockHandle,
  type MemoryRegion,
  type OpenFileOptions,
  type RecoveredSlots,
  type RecoverOptions,
  type SlotRecords,
  type SlotRows,
} from '../binding.js'
import { hashChain, sha256Words } from './chained-sha256.js'
import { checkRange } from './check-job.js'
import { crc32c } from './crc32c.js'
import { PortableEngine } from './engine.js'
import type { PortableMachine } from './machine.js'
import { AdoptedMemory, ChunkedMemory, type PortableMemory } from './memory.js'
import { nodeMachine } from './node-machine.js'
import { recoveredSlots } from './recovered-slots.js'
import { type PortableRegion, PortableRegions } from './regions.js'
import { encodeRecords, RECORD_BYTES, SlotScan } from './slot-records.js'

const PAGE_BYTES = 4096
/** Memory touched before others have their turn: a few milliseconds. */
const TOUCH_BYTES = 8 * 2 ** 20
/** Bytes of a slot table read at a time. */
const SCAN_BYTES = 4 * 2 ** 20
/** Slots are numbered in 32 bits. */
const SLOTS_MAX = 2 ** 32
/** Node.js has no longer ArrayBuffer. */
const BUFFER_BYTES_MAX = 2 ** 32
const NO_PAGE_LOCK = 'memory cannot be locked without the native core'
const NO_DIRECT_IO = 'direct I/O needs the native core'

/** The border in plain Node: slower, never wrong. Oracle of the native core, and what runs where that cannot be built. */
export class PortableBinding implements Binding {
  readonly #machine: PortableMachine
  readonly #regions: PortableRegions
  readonly #engines = new Map<number, PortableEngine>()
  #nextEngine = 1

  constructor(machine: PortableMachine = nodeMachine) {
    this.#machine = machine
    this.#regions = new PortableRegions(machine)
  }

  describe(): BindingDescription {
    return {
      kind: 'portable',
      abi: ABI_VERSION,
      sha256: 'node-crypto',
      crc32c: 'table',
      directIo: false,
      pageLocking: false,
      notes: [NO_DIRECT_IO, NO_PAGE_LOCK, 'copies run on the JavaScript thread'],
    }
  }

  createMemory(sizeBytes: number): MemoryRegion {
    const memory = new ChunkedMemory(positiveInteger('sizeBytes', sizeBytes))
    return { id: this.#regions.add({ memory }), sizeBytes }
  }

  adoptMemory(bytes: Uint8Array): MemoryRegion {
    bytesArgument('bytes', bytes)
    const buffer = bytes.buffer as { readonly resizable?: boolean; readonly growable?: boolean }
    if (buffer.resizable === true || buffer.growable === true) {
      throw new TypeError('bytes: expected a buffer of fixed size, because a resizable one may move')
    }
    return { id: this.#regions.add({ memory: new AdoptedMemory(bytes) }), sizeBytes: bytes.byteLength }
  }

  async commitMemory(region: number, offset: number, length: number, lock: boolean): Promise<CommitResult> {
    const memory = this.#regions.memory(region)
    if (memory instanceof AdoptedMemory) throw new RangeError('Adopted memory cannot be committed: it is real already.')
    checkRange('commitMemory', this.#regions.get(region), offset, length)
    const release = this.#regions.hold([this.#regions.get(region)])
    try {
      await touchInSteps(memory, offset, offset + length)
    } finally {
      release()
    }
    return { locked: 'touched', hugePages: false, note: lock ? NO_PAGE_LOCK : '' }
  }

  /** Node.js cannot map files. */
  async mapFile(region: number, length: number): Promise<undefined> {
    positiveInteger('length', length)
    await this.#regions.withFile(region, async () => undefined)
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
    textArgument('options.path', objectArgument('options', options).path)
    const file = await this.#machine.openFile(options)
    const sizeBytes = await file.size()
    const note = options.direct ? NO_DIRECT_IO : 'direct I/O was not asked for'
    return { id: this.#regions.add({ file }), sizeBytes, direct: false, alignment: 1, note }
  }

  async reserveFile(region: number, offset: number, length: number): Promise<'allocated' | 'zero-filled' | 'sparse'> {
    checkRange('reserveFile', this.#regions.get(region), offset, length)
    return this.#regions.withFile(region, (file) => file.reserve(offset, length))
  }

  async readFile(region: number, offset: number, length: number): Promise<Uint8Array> {
    checkRange('readFile', this.#regions.get(region), offset, length)
    if (length > BUFFER_BYTES_MAX) throw invalidArgument('length', `at most ${BUFFER_BYTES_MAX} bytes`, length)
    return this.#regions.withFile(region, async (file) => {
      // Asks for no more memory than the file has bytes there.
      const bytes = new Uint8Array(Math.min(length, Math.max(0, (await file.size()) - offset)))
      return bytes.subarray(0, await file.read(bytes, offset))
    })
  }

  async writeFile(region: number, offset: number, bytes: Uint8Array): Promise<void> {
    checkRange('writeFile', this.#regions.get(region), offset, bytesArgument('bytes', bytes).length)
    const copy = bytes.slice()
    await this.#regions.withFile(region, (file) => file.write(copy, offset))
  }

  async syncFile(region: number): Promise<void> {
    await this.#regions.withFile(region, (file) => file.sync())
  }

  closeRegion(region: number): void {
    this.#regions.close(region)
  }

  createEngine(options: EngineOptions): number {
    const { threads, diskThreads = threads } = objectArgument('options', options)
    integerArgument('threads', threads, { min: 1, max: ENGINE_THREADS_MAX })
    integerArgument('diskThreads', diskThreads, { min: 1, max: ENGINE_THREADS_MAX })
    const engine = new PortableEngine(this.#regions, threads)
    this.#engines.set(this.#nextEngine, engine)
    return this.#nextEngine++
  }

  tuneEngine(engine: number, pace: DiskPace): void {
    this.#engine(engine).tune(paceArgument(pace))
  }

  async submit(engine: number, ticket: number, job: TransferJob, flags = 0): Promise<void> {
    await this.#engine(engine).submit(numberArgument('ticket', ticket), job, flagsArgument(flags))
  }

  cancel(engine: number, ticket: number): boolean {
    return this.#engine(engine).cancel(numberArgument('ticket', ticket))
  }

  async closeEngine(engine: number): Promise<void> {
    await this.#engines.get(engine)?.close()
    this.#engines.delete(engine)
  }

  crc32c(bytes: Uint8Array, seed = 0): number {
    return crc32c(bytesArgument('bytes', bytes), wordArgument('seed', seed))
  }

  sha256(bytes: Uint8Array): Uint32Array {
    return sha256Words(bytesArgument('bytes', bytes))
  }

  hashBlocks(tokens: Uint32Array, pageSize: number, backing: Uint32Array): void {
    hashChain(wordsArgument('tokens', tokens), pageSize, wordsArgument('backing', backing))
  }

  async readSlots(file: number, tableOffset: number, slotCount: number): Promise<SlotRecords> {
    const region = this.#table(file, tableOffset)
    integerArgument('slotCount', slotCount, { min: 0, max: SLOTS_MAX })
    checkRange('readSlots', region, tableOffset, slotCount * RECORD_BYTES)
    const scan = new SlotScan()
    const end = slotCount * RECORD_BYTES
    for (let at = 0; at < end; at += SCAN_BYTES) {
      const wanted = Math.min(SCAN_BYTES, end - at)
      const part = await this.readFile(file, tableOffset + at, wanted)
      scan.add(part)
      if (part.length < wanted) break
    }
    return scan.result()
  }

  async recoverSlots(
    file: number,
    tableOffset: number,
    slotCount: number,
    options: RecoverOptions,
  ): Promise<RecoveredSlots> {
    recoverArgument(options)
    return recoveredSlots(await this.readSlots(file, tableOffset, slotCount), options)
  }

  async writeSlots(file: number, tableOffset: number, rows: SlotRows): Promise<void> {
    const region = this.#table(file, tableOffset)
    const records = encodeRecords(rows)
    checkRange('writeSlots', region, tableOffset, bytesUpTo(rows.slots))
    await this.#writeRecords(file, tableOffset, rows.slots, records)
  }

  async clearSlots(file: number, tableOffset: number, slots: Uint32Array): Promise<void> {
    const region = this.#table(file, tableOffset)
    const records = new Uint8Array(wordsArgument('slots', slots).length * RECORD_BYTES)
    checkRange('clearSlots', region, tableOffset, bytesUpTo(slots))
    await this.#writeRecords(file, tableOffset, slots, records)
  }

  async lockFile(path: string): Promise<LockHandle | undefined> {
    return this.#machine.lockFile(textArgument('path', path))
  }

  async #writeRecords(file: number, tableOffset: number, slots: Uint32Array, records: Uint8Array): Promise<void> {
    const runs = [...runsOf(slots)]
    await this.#regions.withFile(file, async (target) => {
      for (const { from, to, slot } of runs) {
        const bytes = records.subarray(from * RECORD_BYTES, to * RECORD_BYTES)
        await target.write(bytes, tableOffset + slot * RECORD_BYTES)
      }
    })
  }

  #table(file: number, tableOffset: number): PortableRegion {
    const region = this.#regions.get(file)
    checkRange('tableOffset', region, numberArgument('tableOffset', tableOffset), 0)
    return region
  }

  #engine(id: number): PortableEngine {
    const engine = this.#engines.get(id)
    if (engine === undefined) throw invalidArgument('engine', 'the number of an open engine', id)
    return engine
  }
}

/** Lets the event loop turn between steps: there is no other thread here. */
async function touchInSteps(memory: PortableMemory, begin: number, end: number): Promise<void> {
  for (let at = begin; at < end; ) {
    if (at > begin) await new Promise(setImmediate)
    const bytes = memory.bytes(at, Math.min(memory.contiguous(at), end - at, TOUCH_BYTES))
    touch(bytes)
    at += bytes.length
  }
}

/** Writing what is there makes the system give the page. */
function touch(bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; at += PAGE_BYTES) bytes[at] = bytes[at]!
}

/** Bytes of the table up to the end of the last of these records. */
function bytesUpTo(slots: Uint32Array): number {
  return slots.reduce((end, slot) => Math.max(end, slot + 1), 0) * RECORD_BYTES
}

/** Rows with consecutive slots, which go in one write. */
function* runsOf(slots: Uint32Array): Generator<{ from: number; to: number; slot: number }, void, void> {
  for (let from = 0; from < slots.length; ) {
    let to = from + 1
    while (to < slots.length && slots[to] === slots[to - 1]! + 1) to++
    yield { from, to, slot: slots[from]! }
    from = to
  }
}

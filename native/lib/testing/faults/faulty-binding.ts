import { invalidArgument, type TransferJob } from '@kvbm/core'
import {
  bytesArgument,
  flagsArgument,
  jobArgument,
  numberArgument,
  rowsArgument,
  wordsArgument,
} from '../../arguments.js'
import type {
  Binding,
  BindingDescription,
  CommitResult,
  DiskPace,
  EngineOptions,
  FileRegion,
  LockHandle,
  MemoryRegion,
  OpenFileOptions,
  RecoveredSlots,
  RecoverOptions,
  SlotRecords,
  SlotRows,
} from '../../binding.js'
import { errorOfCode, type Fault, type FaultOperation, shortAccess } from './fault.js'
import type { FaultController } from './fault-controller.js'
import { copyOfJob, firstBytes, placeOfBit, touchesOfJob } from './faulty-job.js'
import { FaultyRegions } from './faulty-regions.js'
import { RecordWriter } from './record-writer.js'

/** What `submit` was told beside the job. */
interface Order {
  readonly engine: number
  readonly ticket: number
  readonly flags: number
}

/** Names jobs of our own, which nobody cancels. */
const OWN_TICKET = Number.MAX_SAFE_INTEGER

/** A binding that does what another one does, except where the controller says otherwise. */
export class FaultyBinding implements Binding {
  readonly #inner: Binding
  readonly #faults: FaultController
  readonly #regions: FaultyRegions
  /** Jobs by engine, so that closing an engine awaits also those that are held up. */
  readonly #jobs = new Map<number, Set<Promise<void>>>()
  readonly #closingEngines = new Set<number>()

  constructor(inner: Binding, faults: FaultController) {
    this.#inner = inner
    this.#faults = faults
    this.#regions = new FaultyRegions((region) => inner.closeRegion(region))
  }

  describe(): BindingDescription {
    const description = this.#inner.describe()
    return { ...description, notes: [...description.notes, 'faults are simulated'] }
  }

  createMemory(sizeBytes: number): MemoryRegion {
    this.#failNow('allocate')
    return this.#inner.createMemory(sizeBytes)
  }

  adoptMemory(bytes: Uint8Array): MemoryRegion {
    this.#failNow('allocate')
    return this.#inner.adoptMemory(bytes)
  }

  commitMemory(region: number, offset: number, length: number, lock: boolean): Promise<CommitResult> {
    return this.#access('allocate', region, () => this.#inner.commitMemory(region, offset, length, lock))
  }

  mapFile(region: number, length: number): Promise<MemoryRegion | undefined> {
    return this.#access('reserve', region, () => this.#inner.mapFile(region, length))
  }

  alignmentOffset(region: number, alignment: number): number {
    this.#regions.checkOpen(region)
    return this.#inner.alignmentOffset(region, alignment)
  }

  windowOf(region: number, index: number): ArrayBuffer {
    this.#regions.checkOpen(region)
    return this.#inner.windowOf(region, index)
  }

  openFile(options: OpenFileOptions): Promise<FileRegion> {
    return this.#access('open', undefined, () => this.#inner.openFile(options))
  }

  reserveFile(region: number, offset: number, length: number): Promise<'allocated' | 'zero-filled' | 'sparse'> {
    return this.#access('reserve', region, () => this.#inner.reserveFile(region, offset, length))
  }

  readFile(region: number, offset: number, length: number): Promise<Uint8Array> {
    return this.#access('read', region, async (fault) => {
      const bytes = await this.#inner.readFile(region, offset, length)
      if (fault?.kind === 'short') return bytes.subarray(0, fault.bytes)
      return fault?.kind === 'flip' ? flipped(bytes, fault.bit) : bytes
    })
  }

  async writeFile(region: number, offset: number, given: Uint8Array): Promise<void> {
    const bytes = bytesArgument('bytes', given).slice()
    return this.#access('write', region, async (fault) => {
      if (fault?.kind === 'flip') return this.#inner.writeFile(region, offset, flipped(bytes, fault.bit))
      if (fault?.kind !== 'short') return this.#inner.writeFile(region, offset, bytes)
      await this.#inner.writeFile(region, offset, bytes.subarray(0, fault.bytes))
      throw shortAccess(fault.bytes)
    })
  }

  syncFile(region: number): Promise<void> {
    return this.#access('sync', region, () => this.#inner.syncFile(region))
  }

  closeRegion(region: number): void {
    this.#regions.close(region)
  }

  createEngine(options: EngineOptions): number {
    return this.#inner.createEngine(options)
  }

  tuneEngine(engine: number, pace: DiskPace): void {
    this.#inner.tuneEngine(engine, pace)
  }

  async submit(engine: number, ticket: number, job: TransferJob, flags = 0): Promise<void> {
    if (this.#closingEngines.has(engine)) throw invalidArgument('engine', 'the number of an open engine', engine)
    numberArgument('engine', engine)
    numberArgument('ticket', ticket)
    const running = this.#run({ engine, ticket, flags: flagsArgument(flags) }, copyOfJob(jobArgument(job)))
    const jobs = this.#jobs.get(engine) ?? new Set()
    this.#jobs.set(engine, jobs.add(running))
    try {
      await running
    } finally {
      jobs.delete(running)
    }
  }

  cancel(engine: number, ticket: number): boolean {
    return this.#inner.cancel(engine, ticket) || this.#faults.cancel(jobName(engine, ticket))
  }

  async closeEngine(engine: number): Promise<void> {
    this.#closingEngines.add(engine)
    await Promise.allSettled(this.#jobs.get(engine) ?? [])
    this.#jobs.delete(engine)
    await this.#inner.closeEngine(engine)
  }

  crc32c(bytes: Uint8Array, seed?: number): number {
    return this.#inner.crc32c(bytes, seed)
  }

  sha256(bytes: Uint8Array): Uint32Array {
    return this.#inner.sha256(bytes)
  }

  hashBlocks(tokens: Uint32Array, pageSize: number, backing: Uint32Array): void {
    this.#inner.hashBlocks(tokens, pageSize, backing)
  }

  readSlots(file: number, tableOffset: number, slotCount: number): Promise<SlotRecords> {
    return this.#readTable(file, tableOffset, () => this.#inner.readSlots(file, tableOffset, slotCount))
  }

  recoverSlots(file: number, tableOffset: number, slotCount: number, options: RecoverOptions): Promise<RecoveredSlots> {
    return this.#readTable(file, tableOffset, () => this.#inner.recoverSlots(file, tableOffset, slotCount, options))
  }

  async writeSlots(file: number, tableOffset: number, rows: SlotRows): Promise<void> {
    rowsArgument(rows)
    const write = (from: number, to: number): Promise<void> =>
      this.#inner.writeSlots(file, tableOffset, rowsBetween(rows, from, to))
    return this.#writeRecords(file, tableOffset, rows.slots, write)
  }

  async clearSlots(file: number, tableOffset: number, slots: Uint32Array): Promise<void> {
    wordsArgument('slots', slots)
    const clear = (from: number, to: number): Promise<void> =>
      this.#inner.clearSlots(file, tableOffset, slots.subarray(from, to))
    return this.#writeRecords(file, tableOffset, slots, clear)
  }

  lockFile(path: string): Promise<LockHandle | undefined> {
    return this.#access('lock', undefined, () => this.#inner.lockFile(path))
  }

  #readTable<T>(file: number, tableOffset: number, read: () => Promise<T>): Promise<T> {
    return this.#access('read', file, async (fault) => {
      if (fault?.kind === 'short') throw shortAccess(fault.bytes)
      if (fault?.kind !== 'flip') return read()
      const records = new RecordWriter(this.#inner, file, tableOffset)
      await records.flip(fault.bit)
      const found = await read()
      await records.flip(fault.bit)
      return found
    })
  }

  #writeRecords(
    file: number,
    tableOffset: number,
    slots: Uint32Array,
    write: (from: number, to: number) => Promise<void>,
  ): Promise<void> {
    return this.#access('write', file, async (fault) => {
      const records = new RecordWriter(this.#inner, file, tableOffset)
      if (fault?.kind === 'short') {
        await records.writeShort(slots, write, fault.bytes)
        throw shortAccess(fault.bytes)
      }
      await write(0, slots.length)
      if (fault?.kind === 'flip' && slots.length > 0) await records.flip(records.bitOf(slots, fault.bit))
    })
  }

  async #run(order: Order, job: TransferJob): Promise<void> {
    const touches = touchesOfJob(job)
    const regions = new Set(touches.map(({ region }) => region!))
    await this.#regions.using(regions, async () => {
      const held = this.#faults.heldUp(touches, jobName(order.engine, order.ticket))
      if (held !== undefined) await held
      await this.#submitWith(this.#faults.take(touches), order, job)
    })
  }

  async #submitWith(fault: Fault | undefined, order: Order, job: TransferJob): Promise<void> {
    const { engine, ticket, flags } = order
    switch (fault?.kind) {
      case undefined:
        return this.#inner.submit(engine, ticket, job, flags)
      case 'error':
        throw errorOfCode(fault.code)
      case 'short':
        await this.#inner.submit(engine, ticket, firstBytes(job, fault.bytes), flags)
        throw shortAccess(fault.bytes)
      case 'flip':
        return this.#submitFlipped(fault.bit, order, job)
    }
  }

  /** The bit is wrong before what arrived is summed, as with a device that lies. */
  async #submitFlipped(bit: number, { engine, ticket, flags }: Order, { sums, ...job }: TransferJob): Promise<void> {
    const { runs } = job
    await this.#inner.submit(engine, ticket, sums?.when === 'before' ? { ...job, sums } : job, flags)
    const place = placeOfBit(runs, bit)
    if (place !== undefined) await this.#flip(engine, place.region, place.offset, bit)
    if (sums?.when === 'after') await this.#inner.submit(engine, OWN_TICKET, { runs: new Float64Array(0), sums })
  }

  async #flip(engine: number, region: number, offset: number, bit: number): Promise<void> {
    const byte = new Uint8Array(1)
    const { id } = this.#inner.adoptMemory(byte)
    try {
      await this.#inner.submit(engine, OWN_TICKET, { runs: Float64Array.of(region, offset, id, 0, 1) })
      byte[0]! ^= 1 << (bit % 8)
      await this.#inner.submit(engine, OWN_TICKET, { runs: Float64Array.of(id, 0, region, offset, 1) })
    } finally {
      this.#inner.closeRegion(id)
    }
  }

  async #access<T>(
    operation: FaultOperation,
    region: number | undefined,
    act: (fault: Fault | undefined) => Promise<T>,
  ): Promise<T> {
    const touches = [region === undefined ? { operation } : { operation, region }]
    return this.#regions.using(new Set(region === undefined ? [] : [region]), async () => {
      const held = this.#faults.heldUp(touches)
      if (held !== undefined) await held
      const fault = this.#faults.take(touches)
      if (fault?.kind === 'error') throw errorOfCode(fault.code)
      return act(fault)
    })
  }

  /** For what cannot wait. */
  #failNow(operation: FaultOperation, region?: number): void {
    if (region !== undefined) this.#regions.checkOpen(region)
    const fault = this.#faults.take([region === undefined ? { operation } : { operation, region }])
    if (fault?.kind === 'error') throw errorOfCode(fault.code)
  }
}

function jobName(engine: number, ticket: number): string {
  return `${engine}/${ticket}`
}

function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = bytes.slice()
  const at = Math.floor(bit / 8)
  if (at < copy.length) copy[at]! ^= 1 << (bit % 8)
  return copy
}

/** The rows from `from` to before `to`. */
function rowsBetween(rows: SlotRows, from: number, to: number): SlotRows {
  return {
    slots: rows.slots.subarray(from, to),
    generations: rows.generations.subarray(from, to),
    hashes: rows.hashes.subarray(4 * from, 4 * to),
    parents: rows.parents.subarray(4 * from, 4 * to),
    positions: rows.positions.subarray(from, to),
    lengths: rows.lengths.subarray(from, to),
    checksums: rows.checksums.subarray(from, to),
  }
}

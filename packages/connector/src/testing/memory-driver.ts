import type { Storage } from '@kvbm/core'
import { DType } from '@kvbm/core'
import type {
  CaptureOutcome,
  CaptureRequest,
  HandOver,
  KvEngineCapabilities,
  KvEngineDriver,
  KvGeometry,
  KvIdentity,
  KvSupport,
  RestoreRequest,
} from '../engine-driver.js'
import { readHandOver, writeHandOver } from './hand-over-bytes.js'
import type { MemoryEngine } from './memory-engine.js'
import { piecesOf } from './memory-pieces.js'
import type { MemorySlot } from './memory-slot.js'
import { decodeHead, encodeHead, rowsOffset, stateBytes } from './state-file.js'

/** In which of the two shapes of engines the in-memory one appears, and as which model. */
export interface MemoryDriverOptions {
  /** `file`: whole sequences through a state file, as llama.cpp. `memory`: ranges through memory, as ONNX. */
  readonly through: 'file' | 'memory'
  readonly pageSize?: number
  /** Default: `memory-<seed>`. */
  readonly name?: string
  readonly facts?: KvIdentity['facts']
  readonly loras?: readonly string[]
}

/** The driver of the in-memory engine, in both shapes that engines have; an example for real ones. */
export class MemoryDriver implements KvEngineDriver<MemorySlot> {
  readonly geometry: KvGeometry
  readonly identity: KvIdentity
  readonly capabilities: KvEngineCapabilities
  readonly #engine: MemoryEngine
  readonly #file: boolean

  constructor(engine: MemoryEngine, options: MemoryDriverOptions) {
    const { through, pageSize = 16, name = `memory-${engine.seed}`, facts = {}, loras = [] } = options
    const { numLayers, outerDim, rowBytes, seed, minRows, batchTokens } = engine
    this.#engine = engine
    this.#file = through === 'file'
    const dtype = DType.opaque(rowBytes)
    this.geometry = { numLayers, outerDim, pageSize, innerDim: rowBytes, dtype, innerOrder: 'nhd' }
    this.identity = { name, facts: { engine: 'memory', seed, ...facts }, loras }
    this.capabilities = {
      restore: this.#file ? 'whole-sequence' : 'append',
      capture: this.#file ? 'whole-sequence' : 'range',
      ...(minRows > 0 ? { minTailForExact: minRows, batchTokens } : {}),
    }
  }

  supports(): KvSupport {
    return this.#engine.faults.support ?? { ok: true }
  }

  restore(request: RestoreRequest<MemorySlot>): Promise<number> {
    request.signal?.throwIfAborted()
    return this.#file ? this.#restoreFile(request) : this.#restoreMemory(request)
  }

  capture(request: CaptureRequest<MemorySlot>): Promise<CaptureOutcome> {
    request.signal?.throwIfAborted()
    return this.#file ? this.#captureFile(request) : this.#captureMemory(request)
  }

  // ── Whole sequences through a state file ────────────────────────────────

  async #restoreFile({ slot, tokens, blocks, signal }: RestoreRequest<MemorySlot>): Promise<number> {
    const { pageSize } = this.geometry
    const sizeBytes = stateBytes(tokens.length, this.#shape)
    return blocks.lend({ sizeBytes, file: true, signal }, async (handOver) => {
      const pieces = this.#pieces(range(0, blocks.count), rowsOffset(tokens.length), tokens.length)
      const sound = await blocks.gather(pieces, handOver.storage)
      signal?.throwIfAborted()
      if (sound === 0) return 0
      await writeHandOver(handOver, 0, encodeHead(tokens))
      await this.#loadState(slot, handOver, sizeBytes, signal)
      slot.truncate(sound * pageSize)
      return slot.length
    })
  }

  /** The engine itself: replaces all that the slot holds. */
  #loadState(slot: MemorySlot, handOver: HandOver, sizeBytes: number, signal: AbortSignal | undefined): Promise<void> {
    return this.#engine.exclusively(async () => {
      const count = (sizeBytes - rowsOffset(0)) / (4 + this.#engine.regions * this.#engine.rowBytes)
      await this.#engine.beginLoad(count)
      signal?.throwIfAborted()
      const read = await readHandOver(handOver, 0, sizeBytes)
      const state = this.#engine.faults.damageLoaded?.(read) ?? read
      const tokens = decodeHead(state, this.#shape)
      slot.truncate(0)
      if (tokens === undefined) return
      slot.append(tokens)
      this.#eachRegion(tokens.length, (region, at, length) => copyRows(slot, region, state.subarray(at, at + length)))
    })
  }

  async #captureFile(request: CaptureRequest<MemorySlot>): Promise<CaptureOutcome> {
    const { slot, tokens, sink, signal } = request
    const sizeBytes = stateBytes(slot.length, this.#shape)
    return sink.lend({ sizeBytes, file: true, signal }, async (handOver) => {
      const { stallMs, state } = await this.#saveState(slot, handOver)
      const saved = decodeHead(state, this.#shape)
      const outcome = { stallMs, savedBytes: state.length, stored: 0 }
      if (saved === undefined || !startsWith(saved, tokens, request.toBlock * this.geometry.pageSize))
        return { ...outcome, slotMoved: true }
      signal?.throwIfAborted()
      const offset = rowsOffset(saved.length)
      return { ...outcome, stored: await this.#store(request, offset, saved.length, handOver.storage) }
    })
  }

  #saveState(slot: MemorySlot, handOver: HandOver): Promise<{ stallMs: number; state: Uint8Array }> {
    return this.#engine.exclusively(async () => {
      const started = this.#engine.clock.now()
      await this.#engine.beginSave(slot.length)
      const whole = new Uint8Array(stateBytes(slot.length, this.#shape))
      whole.set(encodeHead(slot.tokens))
      this.#eachRegion(slot.length, (region, at) => copyOut(slot, region, whole, at))
      const state = this.#engine.faults.damageSaved?.(whole) ?? whole
      await writeHandOver(handOver, 0, state)
      return { stallMs: this.#engine.clock.now() - started, state }
    })
  }

  // ── Ranges through memory ───────────────────────────────────────────────

  async #restoreMemory({ slot, tokens, blocks, signal }: RestoreRequest<MemorySlot>): Promise<number> {
    const { pageSize } = this.geometry
    const sizeBytes = tokens.length * this.#engine.regions * this.#engine.rowBytes
    return blocks.lend({ sizeBytes, file: false, signal }, async (handOver) => {
      const sound = await blocks.gather(this.#pieces(range(0, blocks.count), 0, tokens.length), handOver.storage)
      signal?.throwIfAborted()
      return this.#engine.exclusively(async () => {
        await this.#engine.beginLoad(tokens.length)
        signal?.throwIfAborted()
        const rows = await readHandOver(handOver, 0, sizeBytes)
        this.#append(slot, tokens.subarray(0, sound * pageSize), rows, tokens.length)
        return sound * pageSize
      })
    })
  }

  #append(slot: MemorySlot, tokens: Uint32Array, rows: Uint8Array, stride: number): void {
    const { rowBytes, regions } = this.#engine
    slot.truncate(0)
    slot.append(tokens)
    for (let region = 0; region < regions; region++) {
      const at = region * stride * rowBytes
      copyRows(slot, region, rows.subarray(at, at + tokens.length * rowBytes))
    }
  }

  async #captureMemory(request: CaptureRequest<MemorySlot>): Promise<CaptureOutcome> {
    const { slot, tokens, fromBlock, toBlock, sink, signal } = request
    const { pageSize } = this.geometry
    const span = (toBlock - fromBlock) * pageSize
    const sizeBytes = span * this.#engine.regions * this.#engine.rowBytes
    return sink.lend({ sizeBytes, file: false, signal }, async ({ storage }) => {
      const started = this.#engine.clock.now()
      const moved = await this.#engine.exclusively(async () => {
        await this.#engine.beginSave(span)
        if (!startsWith(slot.tokens, tokens, toBlock * pageSize)) return true
        await writeHandOver({ storage, path: undefined }, 0, this.#rows(slot, fromBlock * pageSize, span))
        return false
      })
      const outcome = { stallMs: this.#engine.clock.now() - started, savedBytes: moved ? 0 : sizeBytes, stored: 0 }
      if (moved) return { ...outcome, slotMoved: true }
      signal?.throwIfAborted()
      const skipped = -fromBlock * pageSize * this.#engine.rowBytes
      return { ...outcome, stored: await this.#store(request, skipped, span, storage) }
    })
  }

  #rows(slot: MemorySlot, from: number, count: number): Uint8Array {
    const { regions, rowBytes } = this.#engine
    const rows = new Uint8Array(regions * count * rowBytes)
    for (let region = 0; region < regions; region++)
      for (let index = 0; index < count; index++)
        rows.set(slot.row(region, from + index), (region * count + index) * rowBytes)
    return rows
  }

  // ── Both ────────────────────────────────────────────────────────────────

  get #shape() {
    return { regions: this.#engine.regions, rowBytes: this.#engine.rowBytes }
  }

  #pieces(blocks: readonly number[], offset: number, tokensInRegion: number): Float64Array {
    const shape = this.#shape
    const regionStride = tokensInRegion * shape.rowBytes
    return piecesOf({ shape, pageSize: this.geometry.pageSize, blocks, offset, regionStride })
  }

  #store(
    { fromBlock, sink }: CaptureRequest<MemorySlot>,
    offset: number,
    tokensInRegion: number,
    from: Storage,
  ): Promise<number> {
    const wanted = range(0, sink.wanted.length).filter((index) => sink.wanted[index] === 1)
    const blocks = wanted.map((index) => fromBlock + index)
    return sink.store((fresh) =>
      fresh.scatter(this.#pieces(blocks.slice(0, fresh.count), offset, tokensInRegion), from),
    )
  }

  #eachRegion(tokens: number, visit: (region: number, at: number, length: number) => void): void {
    const { regions, rowBytes } = this.#engine
    const length = tokens * rowBytes
    for (let region = 0; region < regions; region++) visit(region, rowsOffset(tokens) + region * length, length)
  }
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, index) => from + index)
}

function copyRows(slot: MemorySlot, region: number, rows: Uint8Array): void {
  const { rowBytes } = slot.shape
  for (let at = 0; at < rows.length; at += rowBytes)
    slot.row(region, at / rowBytes).set(rows.subarray(at, at + rowBytes))
}

function copyOut(slot: MemorySlot, region: number, into: Uint8Array, at: number): void {
  const { rowBytes } = slot.shape
  for (let index = 0; index < slot.length; index++) into.set(slot.row(region, index), at + index * rowBytes)
}

function startsWith(tokens: Uint32Array, prefix: Uint32Array, length: number): boolean {
  if (tokens.length < length || prefix.length < length) return false
  for (let index = 0; index < length; index++) if (tokens[index] !== prefix[index]) return false
  return true
}

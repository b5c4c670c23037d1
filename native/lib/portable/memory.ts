import { invalidArgument, StorageFullError } from '@kvbm/core'
import { WINDOW_STRIDE_BYTES } from '../binding.js'

/** What one process can address on today's machines; beyond it the system would refuse too. */
const ADDRESSABLE_BYTES = 2 ** 47

/** A range of bytes as the twin sees it, perhaps spread over several buffers. */
export interface PortableMemory {
  readonly sizeBytes: number
  /** What it shares bytes with, and where it begins in that: two ranges overlap only within one owner. */
  readonly place: { readonly owner: object; readonly offset: number }
  /** How many bytes from `offset` lie in one buffer. */
  contiguous(offset: number): number
  /** Bytes that lie in one buffer. */
  bytes(offset: number, length: number): Uint8Array
  window(index: number): ArrayBuffer
  /** The region is closed and unused. */
  end(): void
}

/** Bytes from a place in one memory to a place in another, negative backwards; infinite where they share nothing. */
export function bytesApart(source: PortableMemory, from: number, target: PortableMemory, to: number): number {
  if (source.place.owner !== target.place.owner) return Number.POSITIVE_INFINITY
  return target.place.offset + to - (source.place.offset + from)
}

/** Memory of the twin: chunks of one window stride, made when first touched and zero-filled by the system. */
export class ChunkedMemory implements PortableMemory {
  readonly sizeBytes: number
  readonly place: PortableMemory['place'] = { owner: this, offset: 0 }
  readonly #chunks: Array<Uint8Array<ArrayBuffer> | undefined>

  constructor(sizeBytes: number) {
    if (sizeBytes > ADDRESSABLE_BYTES) throw refused(sizeBytes)
    this.sizeBytes = sizeBytes
    this.#chunks = new Array<Uint8Array<ArrayBuffer> | undefined>(Math.ceil(sizeBytes / WINDOW_STRIDE_BYTES))
  }

  contiguous(offset: number): number {
    return WINDOW_STRIDE_BYTES - (offset % WINDOW_STRIDE_BYTES)
  }

  bytes(offset: number, length: number): Uint8Array {
    const begin = offset % WINDOW_STRIDE_BYTES
    return this.#chunk(Math.floor(offset / WINDOW_STRIDE_BYTES)).subarray(begin, begin + length)
  }

  window(index: number): ArrayBuffer {
    return this.#chunk(index).buffer
  }

  /** Views become empty: a buffer that was transferred leaves its views without bytes. */
  end(): void {
    for (const chunk of this.#chunks) {
      if (chunk !== undefined) structuredClone(chunk.buffer, { transfer: [chunk.buffer] })
    }
    this.#chunks.length = 0
  }

  #chunk(index: number): Uint8Array<ArrayBuffer> {
    const count = this.#chunks.length
    if (!(Number.isInteger(index) && index >= 0 && index < count)) {
      throw invalidArgument('index', `a window of 0 to ${count - 1}`, index)
    }
    this.#chunks[index] ??= allocate(Math.min(WINDOW_STRIDE_BYTES, this.sizeBytes - index * WINDOW_STRIDE_BYTES))
    return this.#chunks[index]
  }
}

/** Memory that JavaScript owns. Its size is asked each time, because its owner may transfer the buffer away. */
export class AdoptedMemory implements PortableMemory {
  readonly place: PortableMemory['place']
  readonly #bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.place = { owner: bytes.buffer, offset: bytes.byteOffset }
  }

  get sizeBytes(): number {
    return this.#bytes.byteLength
  }

  contiguous(offset: number): number {
    return this.sizeBytes - offset
  }

  bytes(offset: number, length: number): Uint8Array {
    if (offset + length > this.sizeBytes)
      throw new RangeError('Adopted memory was transferred away while it was in use.')
    return this.#bytes.subarray(offset, offset + length)
  }

  window(): ArrayBuffer {
    throw new RangeError('Adopted memory has no windows: use the array that it was made from.')
  }

  end(): void {}
}

function allocate(sizeBytes: number): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(sizeBytes)
  } catch (cause) {
    throw refused(sizeBytes, cause)
  }
}

function refused(sizeBytes: number, cause?: unknown): StorageFullError {
  const message = `The system refused ${sizeBytes} bytes of memory. Lower numBlocks or free memory.`
  return new StorageFullError(message, cause === undefined ? undefined : { cause })
}

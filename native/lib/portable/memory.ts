import { invalidArgument, StorageFullError } from '@kvbm/core'
import { WINDOW_STRIDE_BYTES } from '../binding.js'

/**
 * Memory of the twin: chunks of 1 GiB, made when first touched and zero-filled by the system. A chunk is the window of the same
 * index, so a run that crosses a chunk has no single view here (it has one in the native core, whose windows overlap).
 */
export class PortableMemory {
  readonly sizeBytes: number
  readonly #chunks: Array<ArrayBuffer | undefined>
  readonly #adopted: Uint8Array | undefined

  constructor(sizeBytes: number, adopted?: Uint8Array) {
    this.sizeBytes = sizeBytes
    this.#adopted = adopted
    this.#chunks = new Array<ArrayBuffer | undefined>(Math.ceil(sizeBytes / WINDOW_STRIDE_BYTES))
  }

  window(index: number): ArrayBuffer {
    if (this.#adopted !== undefined) throw new TypeError('Memory that JavaScript owns has no windows: use the array it was made from.')
    if (!(index >= 0 && index < this.#chunks.length)) throw invalidArgument('index', `0 to ${this.#chunks.length - 1}`, index)
    this.#chunks[index] ??= allocate(Math.min(WINDOW_STRIDE_BYTES, this.sizeBytes - index * WINDOW_STRIDE_BYTES))
    return this.#chunks[index]
  }

  /** The bytes of a run, in as many pieces as chunks it touches. */
  *pieces(offset: number, length: number): Generator<Uint8Array, void, void> {
    if (this.#adopted !== undefined) {
      yield this.#adopted.subarray(offset, offset + length)
      return
    }
    for (let at = offset; at < offset + length; ) {
      const chunk = Math.floor(at / WINDOW_STRIDE_BYTES)
      const inChunk = at - chunk * WINDOW_STRIDE_BYTES
      const count = Math.min(offset + length - at, WINDOW_STRIDE_BYTES - inChunk)
      yield new Uint8Array(this.window(chunk), inChunk, count)
      at += count
    }
  }

  /** Views on this memory become empty. Memory that JavaScript gave stays JavaScript's. */
  detach(): void {
    for (const chunk of this.#chunks) if (chunk !== undefined) structuredClone(chunk, { transfer: [chunk] })
    this.#chunks.length = 0
  }
}

function allocate(sizeBytes: number): ArrayBuffer {
  try {
    return new ArrayBuffer(sizeBytes)
  } catch (cause) {
    throw new StorageFullError(`The system refused ${sizeBytes} bytes of memory. Lower numBlocks or free memory.`, { cause })
  }
}

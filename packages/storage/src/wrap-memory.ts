import { ClosedError, invalidArgument, positiveInteger, type Storage, type StorageDescription } from '@kvbm/core'
import type { Binding } from '@kvbm/native'
import { checkRange } from './byte-range.js'
import { bindingOf, type RuntimeOption } from './runtime-option.js'

/** What the wrapped memory is, and the transfer runtime that copies it. */
export interface WrapMemoryOptions extends RuntimeOption {
  /** What the memory is to its owner. Default `system`. */
  readonly kind?: 'system' | 'pinned' | 'device'
}

/**
 * Memory that somebody else owns, for example an engine, as a storage: copied from and to in place, never freed here.
 * It must not be transferred to a worker while wrapped (its address would go with it), and cannot be resizable or shared.
 */
export function wrapMemory(memory: ArrayBuffer | ArrayBufferView, options: WrapMemoryOptions = {}): Storage {
  return new WrappedStorage(bytesOf(memory), options.kind ?? 'system', bindingOf(options))
}

class WrappedStorage implements Storage {
  readonly kind: 'system' | 'pinned' | 'device'
  readonly sizeBytes: number
  readonly regionId: number
  readonly #binding: Binding
  #bytes: Uint8Array | undefined

  constructor(bytes: Uint8Array, kind: WrappedStorage['kind'], binding: Binding) {
    this.kind = kind
    this.sizeBytes = bytes.byteLength
    this.regionId = binding.adoptMemory(bytes).id
    this.#binding = binding
    this.#bytes = bytes
  }

  alignmentOffset(alignment: number): number {
    this.#open()
    return this.#binding.alignmentOffset(this.regionId, positiveInteger('alignment', alignment))
  }

  /** The owner's memory is real already. */
  commit(): void {
    this.#open()
  }

  bytes(offset: number, length: number): Uint8Array {
    const bytes = this.#open()
    checkRange(offset, length, this.sizeBytes)
    return bytes.subarray(offset, offset + length)
  }

  describe(): StorageDescription {
    return { kind: this.kind, sizeBytes: this.sizeBytes, facts: { owned: false }, notes: [] }
  }

  /** Forgets the memory; it stays its owner's, and views of it stay as they are. */
  async close(): Promise<void> {
    if (this.#bytes === undefined) return
    this.#bytes = undefined
    this.#binding.closeRegion(this.regionId)
  }

  #open(): Uint8Array {
    if (this.#bytes === undefined) throw new ClosedError('wrapped storage')
    return this.#bytes
  }
}

function bytesOf(memory: ArrayBuffer | ArrayBufferView): Uint8Array {
  const view = ArrayBuffer.isView(memory)
  const buffer = view ? memory.buffer : memory
  if (!(buffer instanceof ArrayBuffer)) throw invalidArgument('memory', 'an ArrayBuffer or a view of one', buffer)
  if ((buffer as { resizable?: boolean }).resizable === true) {
    throw invalidArgument('memory', 'a buffer of fixed size, because a resizable one may move', buffer)
  }
  positiveInteger('memory.byteLength', memory.byteLength)
  return view ? new Uint8Array(buffer, memory.byteOffset, memory.byteLength) : new Uint8Array(buffer)
}

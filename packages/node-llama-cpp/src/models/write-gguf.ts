import type { FileHandle } from 'node:fs/promises'
import type { GgmlType } from '../ggml-type.js'
import { writeAtomically } from './write-atomically.js'

/** A value of a GGUF file's metadata. */
export type GgufValue =
  | { readonly kind: 'u32' | 'i32' | 'f32'; readonly value: number }
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'text'; readonly value: string }
  | { readonly kind: 'i32s' | 'f32s'; readonly value: readonly number[] }
  | { readonly kind: 'texts'; readonly value: readonly string[] }

export interface GgufTensor {
  readonly name: string
  /** Elements of each dimension, the fastest first. */
  readonly dims: readonly number[]
  readonly type: GgmlType
  /** The tensor's bytes, in pieces of any size; together exactly `tensorBytes`. */
  bytes(): Iterable<Uint8Array>
}

export interface GgufContent {
  readonly metadata: readonly (readonly [key: string, value: GgufValue])[]
  readonly tensors: readonly GgufTensor[]
}

const ALIGNMENT = 32
const FORMAT_VERSION = 3
const TYPE_IDS = { u32: 4, i32: 5, f32: 6, bool: 7, text: 8 } as const
const ARRAY_TYPE_ID = 9

/** Bytes of a tensor in the file, without padding. */
export function tensorBytes({ dims, type }: Pick<GgufTensor, 'dims' | 'type'>): number {
  return (dims.reduce((product, size) => product * size, 1) / type.blockElements) * type.blockBytes
}

/**
 * Writes a GGUF file, version 3. Tensors stream to the disk piece by piece; the file appears under its name when it is complete.
 * Resolves with its size.
 */
export async function writeGguf(path: string, content: GgufContent): Promise<number> {
  let sizeBytes = 0
  await writeAtomically(path, async (handle) => {
    const sink = new FileSink(handle)
    await sink.write(encodeHeader(content))
    for (const tensor of content.tensors) await writeTensor(sink, tensor)
    sizeBytes = await sink.finish()
  })
  return sizeBytes
}

async function writeTensor(sink: FileSink, tensor: GgufTensor): Promise<void> {
  const start = sink.sizeBytes
  for (const piece of tensor.bytes()) await sink.write(piece)
  if (sink.sizeBytes - start !== tensorBytes(tensor))
    throw new RangeError(`${tensor.name}: ${sink.sizeBytes - start} bytes given, ${tensorBytes(tensor)} expected`)
  await sink.write(padding(sink.sizeBytes))
}

/** Writes one piece while the next is being made. */
class FileSink {
  sizeBytes = 0
  readonly #handle: FileHandle
  #pending: Promise<unknown> = Promise.resolve()

  constructor(handle: FileHandle) {
    this.#handle = handle
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#pending
    this.#pending = writeAll(this.#handle, bytes, this.sizeBytes)
    this.#pending.catch(() => {})
    this.sizeBytes += bytes.length
  }

  async finish(): Promise<number> {
    await this.#pending
    return this.sizeBytes
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done)
    done += bytesWritten
  }
}

function encodeHeader({ metadata, tensors }: GgufContent): Uint8Array {
  const encoder = new Encoder()
  encoder.raw(Buffer.from('GGUF'))
  encoder.u32(FORMAT_VERSION)
  encoder.u64(tensors.length)
  encoder.u64(metadata.length)
  for (const [key, value] of metadata) {
    encoder.text(key)
    encoder.value(value)
  }
  encodeTensorInfos(encoder, tensors)
  encoder.raw(padding(encoder.sizeBytes))
  return encoder.finish()
}

function encodeTensorInfos(encoder: Encoder, tensors: readonly GgufTensor[]): void {
  let offset = 0
  for (const tensor of tensors) {
    encoder.text(tensor.name)
    encoder.u32(tensor.dims.length)
    for (const size of tensor.dims) encoder.u64(size)
    encoder.u32(tensor.type.id)
    encoder.u64(offset)
    offset += tensorBytes(tensor)
    offset += padding(offset).length
  }
}

function padding(sizeBytes: number): Uint8Array {
  return new Uint8Array((ALIGNMENT - (sizeBytes % ALIGNMENT)) % ALIGNMENT)
}

/** Grows as needed; everything little endian. */
class Encoder {
  sizeBytes = 0
  #bytes: Buffer = Buffer.alloc(64 * 1024)

  raw(bytes: Uint8Array): void {
    this.#put(bytes.length, (into, at) => into.set(bytes, at))
  }

  u32(value: number): void {
    this.#put(4, (into, at) => into.writeUInt32LE(value, at))
  }

  u64(value: number): void {
    this.#put(8, (into, at) => into.writeBigUInt64LE(BigInt(value), at))
  }

  text(value: string): void {
    const bytes = Buffer.from(value, 'utf8')
    this.u64(bytes.length)
    this.raw(bytes)
  }

  value(value: GgufValue): void {
    if (!Array.isArray(value.value)) {
      this.u32(TYPE_IDS[value.kind as keyof typeof TYPE_IDS])
      this.#scalar(value.kind, value.value as number | boolean | string)
      return
    }
    const kind = value.kind.slice(0, -1) as keyof typeof TYPE_IDS
    this.u32(ARRAY_TYPE_ID)
    this.u32(TYPE_IDS[kind])
    this.u64(value.value.length)
    for (const item of value.value) this.#scalar(kind, item)
  }

  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.sizeBytes)
  }

  #scalar(kind: string, value: number | boolean | string): void {
    if (typeof value === 'string') this.text(value)
    else if (typeof value === 'boolean') this.#put(1, (into, at) => into.writeUInt8(Number(value), at))
    else if (kind === 'f32') this.#put(4, (into, at) => into.writeFloatLE(value, at))
    else if (kind === 'i32') this.#put(4, (into, at) => into.writeInt32LE(value, at))
    else this.u32(value)
  }

  #put(length: number, write: (into: Buffer, at: number) => void): void {
    const at = this.sizeBytes
    this.sizeBytes += length
    if (this.sizeBytes > this.#bytes.length) {
      const grown = Buffer.alloc(Math.max(this.sizeBytes, this.#bytes.length * 2))
      this.#bytes.copy(grown, 0, 0, at)
      this.#bytes = grown
    }
    write(this.#bytes, at)
  }
}

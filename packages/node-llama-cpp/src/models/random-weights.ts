import { createCipheriv, createHash } from 'node:crypto'
import { ggmlType } from '../ggml-type.js'
import { type GgufTensor, tensorBytes } from './write-gguf.js'

/** Bytes made at once: a multiple of every block size, small enough that a step takes a few milliseconds. */
const STEP_BYTES = 34 * 18 * 4 * 1024

/** Standard deviations of uniform values before scaling: int8, 4-bit minus 8, and the interval −1 … 1. */
const DEVIATIONS: Readonly<Record<string, number>> = { Q8_0: 73.9, Q4_0: 4.61, F32: 0.57735 }

/**
 * The bytes of one tensor of random weights with the given standard deviation. The same seed and name give the same bytes on every
 * machine: they are the key stream of AES-128 in counter mode, shaped into the tensor's type.
 */
export function* randomWeights(
  tensor: Pick<GgufTensor, 'name' | 'dims' | 'type'>,
  { seed, deviation }: { readonly seed: number; readonly deviation: number },
): Generator<Uint8Array> {
  const key = createHash('sha256').update(`kvbm random weights 1\n${seed}\n${tensor.name}`).digest()
  const cipher = createCipheriv('aes-128-ctr', key.subarray(0, 16), key.subarray(16))
  const shape = SHAPERS[tensor.type.name]
  if (!shape) throw new RangeError(`${tensor.name}: random weights of type ${tensor.type.name} are not made`)
  const scale = deviation / DEVIATIONS[tensor.type.name]!
  for (let left = tensorBytes(tensor); left > 0; left -= STEP_BYTES) {
    const bytes = cipher.update(new Uint8Array(Math.min(left, STEP_BYTES)))
    shape(new DataView(bytes.buffer, bytes.byteOffset, bytes.length), scale)
    yield bytes
  }
}

/** The bytes of a vector of ones, in F32. */
export function ones(tensor: Pick<GgufTensor, 'dims' | 'type'>): Uint8Array[] {
  return [new Uint8Array(new Float32Array(tensorBytes(tensor) / 4).fill(1).buffer)]
}

type Shaper = (bytes: DataView, scale: number) => void

// Any bits are valid quantised values; only the scale that begins each block must be a sensible number.
function withBlockScale(blockBytes: number): Shaper {
  return (bytes, scale) => {
    const half = toHalf(scale)
    for (let at = 0; at < bytes.byteLength; at += blockBytes) bytes.setUint16(at, half, true)
  }
}

const SHAPERS: Readonly<Record<string, Shaper>> = {
  Q8_0: withBlockScale(ggmlType(8)!.blockBytes),
  Q4_0: withBlockScale(ggmlType(2)!.blockBytes),
  F32: (bytes, scale) => {
    for (let at = 0; at < bytes.byteLength; at += 4)
      bytes.setFloat32(at, (bytes.getInt32(at, true) / 2 ** 31) * scale, true)
  },
}

/** IEEE half of a positive number between 2^-14 and 2, rounded down. */
function toHalf(value: number): number {
  const exponent = Math.floor(Math.log2(value))
  if (exponent < -14 || exponent > 0) throw new RangeError(`${value}: no scale between 2^-14 and 2`)
  return ((exponent + 15) << 10) | Math.floor((value / 2 ** exponent - 1) * 1024)
}

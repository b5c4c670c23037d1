import { positiveInteger } from './assert.js'

/** Element types with a fixed width. */
export type ElementDType = 'fp8-e4m3' | 'fp8-e5m2' | 'fp16' | 'bf16' | 'fp32' | 'int8'

/** Rows that are bytes, not elements (quantised KV): `bytesPerToken` per layer and outer entry. */
export interface OpaqueDType {
  readonly kind: 'opaque'
  readonly bytesPerToken: number
}

export type DType = ElementDType | OpaqueDType

/** Constants whose value is their JSON form. */
export const DType = Object.freeze({
  FP8_E4M3: 'fp8-e4m3',
  FP8_E5M2: 'fp8-e5m2',
  FP16: 'fp16',
  BF16: 'bf16',
  FP32: 'fp32',
  INT8: 'int8',
  /** Rows of `bytesPerToken` bytes per layer and outer entry, for example a quantised cache. */
  opaque(bytesPerToken: number): OpaqueDType {
    return Object.freeze({ kind: 'opaque', bytesPerToken: positiveInteger('bytesPerToken', bytesPerToken) })
  },
} as const)

const WIDTH_BYTES: Readonly<Record<ElementDType, number>> = Object.freeze({
  'fp8-e4m3': 1,
  'fp8-e5m2': 1,
  fp16: 2,
  bf16: 2,
  fp32: 4,
  int8: 1,
})

/** Every element type by its short word; opaque rows are not among them. */
export const ELEMENT_DTYPES = Object.freeze(Object.keys(WIDTH_BYTES) as ElementDType[])

/** Bytes of one element. */
export function dtypeWidthBytes(dtype: ElementDType): number {
  return WIDTH_BYTES[dtype]
}

/** One short word for a dtype, used in salts, fingerprints and reports: `fp16`, `opaque:34`. */
export function dtypeName(dtype: DType): string {
  return typeof dtype === 'string' ? dtype : `opaque:${dtype.bytesPerToken}`
}

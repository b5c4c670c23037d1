import { describe, expect, test } from 'vitest'
import {
  blockBytes,
  DType,
  dtypeName,
  dtypeWidthBytes,
  ELEMENT_DTYPES,
  LayoutType,
  layoutKind,
  regionBytes,
  rowBytes,
} from '../src/index.js'

const SHAPE = { numLayers: 32, outerDim: 2, pageSize: 16, innerDim: 1024, dtype: DType.FP16 } as const

describe('DType', () => {
  test.each([
    [DType.FP8_E4M3, 1],
    [DType.FP8_E5M2, 1],
    [DType.INT8, 1],
    [DType.FP16, 2],
    [DType.BF16, 2],
    [DType.FP32, 4],
  ])('%s has %i bytes', (dtype, width) => {
    expect(dtypeWidthBytes(dtype)).toBe(width)
  })

  test('lists every element type, each as its own JSON form and name', () => {
    const constants = Object.values(DType).filter((value) => typeof value === 'string')
    expect([...ELEMENT_DTYPES].sort()).toEqual(constants.sort())
    for (const dtype of ELEMENT_DTYPES)
      expect([JSON.parse(JSON.stringify(dtype)), dtypeName(dtype)]).toEqual([dtype, dtype])
  })

  test('opaque rows say their bytes, and refuse none', () => {
    expect(DType.opaque(34)).toEqual({ kind: 'opaque', bytesPerToken: 34 })
    expect(dtypeName(DType.opaque(34))).toBe('opaque:34')
    for (const bytes of [0, -1, 1.5])
      expect(() => DType.opaque(bytes)).toThrow(/^bytesPerToken: expected a positive integer/)
  })

  test('constants cannot be changed', () => {
    expect([DType, DType.opaque(1), LayoutType, LayoutType.LayerSeparate].every(Object.isFrozen)).toBe(true)
  })
})

describe('bytes of a shape', () => {
  test('multiply up from row to region to block', () => {
    expect([rowBytes(SHAPE), regionBytes(SHAPE), blockBytes(SHAPE)]).toEqual([2048, 32_768, 2_097_152])
  })

  test('an opaque dtype gives the row itself and ignores innerDim', () => {
    const shape = { ...SHAPE, dtype: DType.opaque(34) }
    expect([rowBytes(shape), regionBytes(shape), blockBytes(shape)]).toEqual([34, 544, 34_816])
  })
})

describe('layoutKind', () => {
  test('names every layout type', () => {
    const strategy = { name: 'mine', bind: () => ({ storageBytes: [], locate: () => ({ storage: 0, offset: 0 }) }) }
    expect(layoutKind(LayoutType.FullyContiguous)).toBe('fully-contiguous')
    expect(layoutKind(LayoutType.Paged)).toBe('paged')
    expect(layoutKind(LayoutType.LayerSeparate)).toBe('layer-separate')
    expect(layoutKind(LayoutType.LayerSeparateBlockContiguous)).toBe('layer-separate')
    expect(layoutKind(LayoutType.Custom(strategy))).toBe('custom')
  })
})

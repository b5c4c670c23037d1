import { ConfigError, DType } from '@kvbm/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  blocksForBytes,
  bytesPerBlock,
  formatBytes,
  KvBlockManagerConfig,
  LayoutType,
  MODEL_PRESETS,
  type ModelPreset,
  modelPreset,
  modelShape,
  parseBytes,
  recommendedBlocks,
} from '../src/index.js'

const UNITS = {
  B: 1n,
  kB: 1000n,
  MB: 1000n ** 2n,
  GB: 1000n ** 3n,
  KiB: 1024n,
  MiB: 1024n ** 2n,
  GiB: 1024n ** 3n,
} as const

describe('byte sizes', () => {
  test.each([
    ['24GiB', 24 * 2 ** 30],
    ['10GB', 10_000_000_000],
    ['1.5GiB', 1_610_612_736],
    ['0.1GB', 100_000_000],
    ['0.1GiB', 107_374_182],
    ['512 MiB', 536_870_912],
    [' 4096 ', 4096],
    ['7B', 7],
    ['1kB', 1000],
    ['1KB', 1000],
    ['1KiB', 1024],
    ['2TiB', 2 ** 41],
    ['0', 0],
    [4096, 4096],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
  ] as const)('%s is %i bytes', (text, bytes) => {
    expect(parseBytes(text)).toBe(bytes)
  })

  test.each([
    ['', 'GiB', '4 gigs', '4Gb', '4G', '4gib', '-1GiB', '+1', '1e9', '0x10', '1,5GiB', '1.GiB', '.5GiB', '4GiB free'],
    [Number.NaN, -1, 1.5, Number.POSITIVE_INFINITY, 2 ** 53, '8PiB', '9007199254740992'],
    [undefined, null, {}, [], true, 4n],
  ])('junk is a RangeError that shows both meanings of a giga', (...junk) => {
    for (const size of junk)
      expect(() => parseBytes(size as string)).toThrow(/^bytes: expected .*24 × 2\^30.*10 × 10\^9/)
  })

  test('any decimal number of any unit is exact, rounded down to a byte', () => {
    const unit = fc.constantFrom(...(Object.keys(UNITS) as (keyof typeof UNITS)[]))
    fc.assert(
      fc.property(fc.nat({ max: 5_000_000 }), fc.nat({ max: 999 }), unit, (whole, thousandths, name) => {
        const bytes = ((BigInt(whole) * 1000n + BigInt(thousandths)) * UNITS[name]) / 1000n
        expect(parseBytes(`${whole}.${String(thousandths).padStart(3, '0')}${name}`)).toBe(Number(bytes))
      }),
    )
  })

  test('whatever the text, the result is a safe integer or a RangeError', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^\d{1,20}(\.\d{1,20})? ?[KMGTPi]{0,2}B?$/)), (text) => {
        try {
          expect(Number.isSafeInteger(parseBytes(text))).toBe(true)
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError)
        }
      }),
    )
  })

  test('a number of bytes survives being written out', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (bytes) => parseBytes(String(bytes)) === bytes && parseBytes(`${bytes}B`) === bytes),
    )
  })

  test('formatBytes speaks in binary units', () => {
    expect([0, 1023, 1024, 8_388_608, 1.5 * 2 ** 30].map(formatBytes)).toEqual([
      '0 B',
      '1023 B',
      '1 KiB',
      '8 MiB',
      '1.5 GiB',
    ])
  })
})

describe('blocks', () => {
  const page = { numLayers: 32, outerDim: 2, pageSize: 16, innerDim: 4096 }

  test('of the page are 8 MiB; 24 GiB hold 3072, 24 GB 2861, the recommended part 2457', () => {
    expect(bytesPerBlock(page)).toBe(8_388_608)
    expect([blocksForBytes('24GiB', page), blocksForBytes('24GB', page)]).toEqual([3072, 2861])
    expect([recommendedBlocks('24GiB', page), blocksForBytes('24GiB', page, { percent: 50 })]).toEqual([2457, 1536])
  })

  test('of opaque rows count the bytes of a row', () => {
    const model = { numLayers: 2, outerDim: 2, pageSize: 16, dtype: DType.opaque(34) }
    expect(bytesPerBlock(model)).toBe(2 * 2 * 16 * 34)
  })

  test('that fit are never more than fit, and one more would not', () => {
    fc.assert(
      fc.property(fc.nat({ max: 2 ** 40 }), fc.integer({ min: 1, max: 4096 }), (bytes, innerDim) => {
        const model = { ...page, innerDim }
        const blocks = blocksForBytes(bytes, model)
        expect(blocks * bytesPerBlock(model)).toBeLessThanOrEqual(bytes)
        expect((blocks + 1) * bytesPerBlock(model)).toBeGreaterThan(bytes)
      }),
    )
  })

  test('cannot be counted for an impossible model, size or part', () => {
    expect(() => blocksForBytes('1GiB', { ...page, numLayers: 0 })).toThrow(ConfigError)
    expect(() => blocksForBytes('1 gig', page)).toThrow(RangeError)
    expect(() => blocksForBytes('1GiB', page, { percent: 101 })).toThrow(
      'percent: expected a number from 0 to 100, got 101',
    )
  })

  test('a tier of bytes has the blocks that blocksForBytes counts', () => {
    const config = KvBlockManagerConfig.parse({ model: page, hostLayout: { bytes: '10GB' } })
    expect(config.hostLayout?.numBlocks).toBe(blocksForBytes('10GB', page))
    expect(config.hostLayout?.numBlocks).toBe(1192)
  })
})

describe('presets', () => {
  /** Bytes of one token over all layers, as widely published for 16-bit caches. */
  test.each([
    ['llama-2-7b', 524_288],
    ['llama-3.1-8b', 131_072],
    ['llama-3.1-70b', 327_680],
    ['llama-3.2-1b', 32_768],
    ['llama-3.2-3b', 114_688],
    ['mistral-7b', 131_072],
    ['qwen2.5-0.5b', 12_288],
    ['qwen2.5-7b', 57_344],
    ['qwen3-8b', 147_456],
    ['smollm2-135m', 23_040],
    ['gemma-2-2b', 106_496],
    ['deepseek-v3', 70_272],
  ] as const)('a token of %s takes %i bytes', (name, bytes) => {
    expect(bytesPerBlock(modelPreset(name, { pageSize: 1 }))).toBe(bytes)
  })

  test.each(Object.keys(MODEL_PRESETS) as ModelPreset[])('%s is a valid model under its own name', (name) => {
    const { model } = KvBlockManagerConfig.parse({ model: modelPreset(name), hostLayout: { numBlocks: 4 } })
    expect([model.modelId, model.pageSize, model.innerDim]).toEqual([name, 16, model.kvHeads! * model.headDim!])
  })

  test('MLA keeps one fused row of 512 + 64 elements per token', () => {
    const { model } = KvBlockManagerConfig.parse({ model: modelPreset('deepseek-v3'), hostLayout: { numBlocks: 4 } })
    expect(modelShape(model)).toEqual({ numLayers: 61, outerDim: 1, pageSize: 16, innerDim: 576, dtype: 'bf16' })
  })

  test('fields given otherwise win', () => {
    expect(modelPreset('llama-3.1-8b', { dtype: 'fp8-e4m3', modelId: 'mine', pageSize: 64 })).toMatchObject({
      modelId: 'mine',
      dtype: 'fp8-e4m3',
      pageSize: 64,
      numLayers: 32,
    })
  })

  test('an unknown name is a RangeError with the nearest one', () => {
    expect(() => modelPreset('llama3.1-8b' as ModelPreset)).toThrow(
      "expected llama-3.1-8b, a known model shape, got 'llama3.1-8b'",
    )
    expect(() => modelPreset('toString' as ModelPreset)).toThrow(RangeError)
  })
})

describe('a budget with an alignment', () => {
  const model = { numLayers: 4, outerDim: 2, pageSize: 16, innerDim: 4096 }
  const blocks = (fields: object) =>
    KvBlockManagerConfig.parse({ model, hostLayout: { bytes: '8MiB', ...fields } }).hostLayout?.numBlocks

  test('holds as many blocks as fit with their padding', () => {
    expect(blocks({})).toBe(8)
    expect(blocks({ alignment: 4096 })).toBe(8)
    expect(blocks({ alignment: 2 ** 21 })).toBe(4)
    expect(blocks({ alignment: 2 ** 18, layoutType: LayoutType.LayerSeparateBlockContiguous })).toBe(8)
    expect(blocks({ alignment: 2 ** 18, layoutType: LayoutType.LayerSeparate })).toBe(4)
  })

  test('that has no room for one padded block is refused', () => {
    expect(() => blocks({ bytes: '1MiB', alignment: 2 ** 21 })).toThrow(/room for at least one block of 2097152 bytes/)
  })

  test('of the disk tier takes no padding', () => {
    const diskLayout = { bytes: '8MiB', alignment: 2 ** 21, allocator: { kind: 'disk', path: './kv' } } as const
    expect(KvBlockManagerConfig.parse({ model, diskLayout }).diskLayout?.numBlocks).toBe(8)
  })
})

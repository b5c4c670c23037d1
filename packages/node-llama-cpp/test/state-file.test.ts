import { blockBytes } from '@kvbm/core'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  blockShapeOf,
  ggmlType,
  memorySource,
  type ParsedState,
  type ParseOptions,
  parseStateFile,
  planCapture,
  planRestore,
  type StateFile,
  type StateGeometry,
  tokenBytes,
} from '../src/index.js'
import { stateFileBytes } from '../src/state-file/plan-restore.js'
import { assemble, emptyBlocks, scatter } from './support/block-copies.js'
import { range, rowByte, type StateText, writeStateText } from './support/state-file-text.js'

const PAGE = 4
const F16 = ggmlType(1)!
const Q8 = ggmlType(8)!
const geometry: StateGeometry = {
  numLayers: 2,
  key: { type: F16, rowBytes: 8 },
  value: { type: F16, rowBytes: 8 },
}

function parse(bytes: Uint8Array, options: ParseOptions = {}): ParsedState {
  return parseStateFile(memorySource(bytes), options)
}

function parsed(bytes: Uint8Array, options: ParseOptions = {}): StateFile {
  const result = parse(bytes, options)
  if (!result.ok) throw new Error(`${result.reason}: ${result.detail}`)
  return result.file
}

function refusal(text: StateText, cellsMax?: number): string {
  const result = parse(writeStateText(text), cellsMax === undefined ? {} : { cellsMax })
  return result.ok ? 'accepted' : result.reason
}

/** The blocks of a file, by the codec. */
function cut(file: StateFile, bytes: Uint8Array, fromBlock: number, toBlock: number, pageSize = PAGE): Uint8Array[] {
  const blocks = emptyBlocks(toBlock - fromBlock, blockBytes(blockShapeOf(file.geometry, pageSize)))
  scatter(planCapture(file, { pageSize, fromBlock, toBlock }), bytes, blocks)
  return blocks
}

/** A block spelled out in canonical order: layer, outer, token, inner. */
function expectedBlock({ numLayers, key, value }: StateGeometry, block: number, pageSize = PAGE): number[] {
  const bytes: number[] = []
  for (let layer = 0; layer < numLayers; layer++)
    for (const [outer, format] of [key, value].entries())
      for (let row = 0; row < pageSize; row++)
        for (let index = 0; index < (format?.rowBytes ?? 0); index++)
          bytes.push(rowByte(layer, outer, block * pageSize + row, index))
  return bytes
}

const tenTokens: StateText = { tokens: range(10), streams: [{ positions: range(10) }] }

describe('a file that can be cut', () => {
  test('tells geometry, tokens and where rows lie', () => {
    const file = parsed(writeStateText(tenTokens))
    expect(file.geometry).toEqual(geometry)
    expect([...file.tokens]).toEqual(range(10))
    expect([...file.spans]).toEqual([0, 0, 10])
    expect(file.streams).toBe(1)
    expect(tokenBytes(file.geometry)).toBe(32)
  })

  test('gives each full block in canonical order, and no part of the tail', () => {
    const bytes = writeStateText(tenTokens)
    const blocks = cut(parsed(bytes), bytes, 0, 2)
    expect([...blocks[0]!]).toEqual(expectedBlock(geometry, 0))
    expect([...blocks[1]!]).toEqual(expectedBlock(geometry, 1))
  })

  test('gives a range of blocks whose indices begin at 0', () => {
    const bytes = writeStateText(tenTokens)
    expect([...cut(parsed(bytes), bytes, 1, 2)[0]!]).toEqual(expectedBlock(geometry, 1))
  })

  test('refuses blocks that its tokens do not fill', () => {
    const file = parsed(writeStateText(tenTokens))
    expect(() => planCapture(file, { pageSize: PAGE, fromBlock: 0, toBlock: 3 })).toThrow(RangeError)
    expect(() => planCapture(file, { pageSize: PAGE, fromBlock: -1, toBlock: 1 })).toThrow(RangeError)
    expect(() => planCapture(file, { pageSize: PAGE, fromBlock: 2, toBlock: 1 })).toThrow(RangeError)
    expect(() => planCapture(file, { pageSize: 0, fromBlock: 0, toBlock: 1 })).toThrow(RangeError)
  })

  test('may store cells in any order: positions count', () => {
    const bytes = writeStateText({ tokens: range(8), streams: [{ positions: [6, 7, 0, 1, 2, 5, 4, 3] }] })
    const file = parsed(bytes)
    expect([...file.spans]).toEqual([0, 2, 3, 3, 7, 1, 4, 6, 1, 5, 5, 1, 6, 0, 2])
    const blocks = cut(file, bytes, 0, 2)
    expect([...blocks[0]!]).toEqual(expectedBlock(geometry, 0))
    expect([...blocks[1]!]).toEqual(expectedBlock(geometry, 1))
  })

  test('may hold cells of predicted tokens beyond its own', () => {
    const bytes = writeStateText({ tokens: range(7), streams: [{ positions: range(9) }] })
    expect(() => cut(parsed(bytes), bytes, 0, 2)).toThrow(RangeError)
    expect([...cut(parsed(bytes), bytes, 0, 1)[0]!]).toEqual(expectedBlock(geometry, 0))
  })

  test.each([0, 1, 2])('may come from sequence %i of three', (sequence) => {
    const streams = range(3).map((stream) => (stream === sequence ? { positions: range(5) } : undefined))
    const bytes = writeStateText({ tokens: range(5), streams })
    expect([...cut(parsed(bytes), bytes, 0, 1)[0]!]).toEqual(expectedBlock(geometry, 0))
  })

  test('may have keys and values of different types and widths', () => {
    const layer = { keyType: 8, keyBytes: 34, valueType: 1, valueBytes: 6 }
    const bytes = writeStateText({
      tokens: range(4),
      streams: [{ positions: range(4), layers: [layer, layer, layer] }],
    })
    const file = parsed(bytes)
    expect(file.geometry).toEqual({
      numLayers: 3,
      key: { type: Q8, rowBytes: 34 },
      value: { type: F16, rowBytes: 6 },
    })
    expect(blockShapeOf(file.geometry, PAGE)).toEqual({
      numLayers: 3,
      outerDim: 1,
      pageSize: PAGE,
      innerDim: 40,
      dtype: { kind: 'opaque', bytesPerToken: 40 },
    })
    expect([...cut(file, bytes, 0, 1)[0]!]).toEqual(expectedBlock(file.geometry, 0))
  })

  test.each([1, 2])('may have no values at all (MLA), with %i streams', (streams) => {
    const found = range(streams).map((stream) =>
      stream === 0 ? { positions: range(4), withoutValues: true } : undefined,
    )
    const bytes = writeStateText({ tokens: range(4), streams: found })
    expect(parse(bytes)).toMatchObject({ ok: false, reason: 'truncated' })
    const file = parsed(bytes, { values: false })
    expect(file.geometry.value).toBeUndefined()
    expect(blockShapeOf(file.geometry, PAGE)).toMatchObject({ outerDim: 1, innerDim: 4, dtype: 'fp16' })
    expect([...cut(file, bytes, 0, 1)[0]!]).toEqual(expectedBlock(file.geometry, 0))
  })

  test('has the shape that the house gives its blocks', () => {
    expect(blockShapeOf(geometry, 16)).toEqual({
      numLayers: 2,
      outerDim: 2,
      pageSize: 16,
      innerDim: 4,
      dtype: 'fp16',
    })
    const quantised = { ...geometry, key: { type: Q8, rowBytes: 34 }, value: { type: Q8, rowBytes: 34 } }
    expect(blockShapeOf(quantised, 16)).toMatchObject({ outerDim: 2, innerDim: 34, dtype: { bytesPerToken: 34 } })
  })
})

describe('a file that cannot be cut is refused by name', () => {
  const stream = { positions: range(4) }
  const layer = { keyType: 1, keyBytes: 8, valueType: 1, valueBytes: 8 }
  const cases: readonly [string, StateText][] = [
    ['foreign-magic', { magic: 0x6767736e, tokens: [1], streams: [{ positions: [0] }] }],
    ['other-version', { version: 4, tokens: [1], streams: [{ positions: [0] }] }],
    ['empty', { tokens: [], streams: [undefined] }],
    ['empty', { tokens: [1], streams: [undefined, undefined] }],
    ['malformed', { tokens: range(4), streams: [] }],
    ['several-streams', { tokens: range(4), streams: [stream, stream] }],
    ['v-transposed', { tokens: range(4), streams: [{ ...stream, transposed: 1 }] }],
    ['malformed', { tokens: range(4), streams: [{ ...stream, transposed: 2 }] }],
    ['malformed', { tokens: range(4), streams: [{ ...stream, layers: [] }] }],
    ['malformed', { tokens: range(4), streams: [{ ...stream, sequences: 2 }] }],
    ['extra-cell-records', { tokens: range(4), streams: [{ ...stream, extras: true }] }],
    ['extra-cell-records', { tokens: range(4), streams: [undefined, { ...stream, extras: true }, undefined] }],
    ['unequal-layers', { tokens: range(4), streams: [{ ...stream, layers: [layer, { ...layer, keyBytes: 4 }] }] }],
    ['unequal-layers', { tokens: range(4), streams: [{ ...stream, layers: [layer, { ...layer, valueType: 30 }] }] }],
    ['unknown-type', { tokens: range(4), streams: [{ ...stream, layers: [{ ...layer, keyType: 12 }] }] }],
    ['unknown-type', { tokens: range(4), streams: [{ ...stream, layers: [{ ...layer, keyType: 8 }] }] }],
    ['unknown-type', { tokens: range(4), streams: [{ ...stream, layers: [{ ...layer, keyBytes: 0 }] }] }],
    ['duplicate-positions', { tokens: range(4), streams: [{ positions: [0, 1, 1, 3] }] }],
    ['holes', { tokens: range(4), streams: [{ positions: [0, 1, 2, 4] }] }],
    ['holes', { tokens: range(4), streams: [{ positions: [-1, 1, 2, 3] }] }],
    ['cells-missing', { tokens: range(5), streams: [stream] }],
  ]

  test.each(cases)('%s', (reason, text) => {
    expect(refusal(text)).toBe(reason)
  })

  test('too-large, by the number of tokens or of cells', () => {
    expect(refusal(tenTokens, 10)).toBe('accepted')
    expect(refusal(tenTokens, 9)).toBe('too-large')
    expect(refusal({ tokens: range(4), streams: [{ positions: range(5) }] }, 4)).toBe('too-large')
  })

  test('trailing-bytes: a second cache follows, as with a sliding window', () => {
    const once = writeStateText(tenTokens)
    const second = once.subarray(12 + 4 * 10)
    const result = parse(Uint8Array.of(...once, ...second))
    expect(result).toMatchObject({ ok: false, reason: 'trailing-bytes' })
  })

  test('truncated, at every byte', () => {
    const bytes = writeStateText({ tokens: range(5), streams: [undefined, { positions: range(5) }, undefined] })
    for (let length = 0; length < bytes.length; length++)
      expect(parse(bytes.subarray(0, length)), `cut at ${length}`).toMatchObject({ ok: false, reason: 'truncated' })
  })

  test('truncated, when bytes went away between looking and reading', () => {
    const bytes = writeStateText(tenTokens)
    for (const left of [20, 60, 200]) {
      const source = {
        sizeBytes: bytes.length,
        read: (at: number, n: number) => bytes.subarray(at, Math.min(at + n, left)),
      }
      expect(parseStateFile(source), `${left} left`).toMatchObject({ ok: false, reason: 'truncated' })
    }
  })

  test('what a source throws is not taken for a refusal', () => {
    const broken = {
      sizeBytes: 1000,
      read: () => {
        throw new Error('EIO')
      },
    }
    expect(() => parseStateFile(broken)).toThrow('EIO')
  })
})

describe('hostile bytes', () => {
  const bytes = writeStateText({ tokens: range(5), streams: [undefined, { positions: [4, 0, 1, 2, 3] }, undefined] })

  test('any flipped bit is refused or leaves every row within the file, none in two blocks', () => {
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Uint8Array.from(bytes)
      flipped[bit >> 3]! ^= 1 << (bit & 7)
      const result = parse(flipped)
      if (result.ok) expectSound(result.file)
    }
  })

  test('counts decide over no allocation and no read: all sizes stay within the file', () => {
    const word = fc.oneof(
      fc.integer({ min: 0, max: 40 }),
      fc.constantFrom(0xffff_ffff, 0x7fff_ffff, 0x8000_0000, 1 << 24),
    )
    const edits = fc.array(fc.tuple(fc.nat({ max: bytes.length / 4 - 1 }), word), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(edits, (words) => {
        const damaged = Uint8Array.from(bytes)
        for (const [at, value] of words) new DataView(damaged.buffer).setUint32(at * 4, value, true)
        const { source, longest } = watched(damaged)
        const result = parseStateFile(source)
        expect(longest()).toBeLessThanOrEqual(damaged.length)
        if (result.ok) expectSound(result.file)
      }),
      { numRuns: 3000 },
    )
  })

  test('arbitrary bytes after a valid header never throw', () => {
    const header = writeStateText({ tokens: range(2), streams: [] }).subarray(0, 20)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (tail) => {
        const result = parse(Uint8Array.of(...header, ...tail))
        if (result.ok) expectSound(result.file)
      }),
      { numRuns: 3000 },
    )
  })

  test('four billion tokens in a file of twelve bytes are refused without a read beyond', () => {
    const header = Uint8Array.of(0x71, 0x73, 0x67, 0x67, 3, 0, 0, 0, 0xff, 0xff, 0xff, 0xff)
    const { source, longest } = watched(header)
    expect(parseStateFile(source, { cellsMax: 2 ** 32 })).toMatchObject({ ok: false, reason: 'truncated' })
    expect(longest()).toBe(12)
  })

  function watched(from: Uint8Array) {
    let longestRead = 0
    const source = {
      sizeBytes: from.length,
      read(offset: number, length: number) {
        expect(offset).toBeGreaterThanOrEqual(0)
        expect(offset + length).toBeLessThanOrEqual(from.length)
        longestRead = Math.max(longestRead, length)
        return from.subarray(offset, offset + length)
      },
    }
    return { source, longest: () => longestRead }
  }

  /** Rows lie within the file and do not overlap, whatever the bytes say. */
  function expectSound(file: StateFile): void {
    const pieces = planCapture(file, { pageSize: 1, fromBlock: 0, toBlock: file.tokens.length })
    const ranges: [number, number][] = []
    for (let row = 0; row < pieces.length; row += 4)
      ranges.push([pieces[row + 2]!, pieces[row + 2]! + pieces[row + 3]!])
    ranges.sort((a, b) => a[0] - b[0])
    for (const [index, [from, to]] of ranges.entries()) {
      expect(from).toBeGreaterThanOrEqual(index === 0 ? 12 : ranges[index - 1]![1])
      expect(to).toBeLessThanOrEqual(file.sizeBytes)
    }
  }
})

describe('writing', () => {
  const format = fc.constantFrom(
    { type: F16, rowBytes: 8 },
    { type: Q8, rowBytes: 68 },
    { type: ggmlType(0)!, rowBytes: 4 },
  )
  const anyGeometry = fc.record({
    numLayers: fc.integer({ min: 1, max: 4 }),
    key: format,
    value: fc.option(format, { nil: undefined }),
  })

  test('blocks → file → blocks is the identity, for every geometry, page size and number of streams', () => {
    const world = fc.record({
      geometry: anyGeometry,
      pageSize: fc.integer({ min: 1, max: 5 }),
      blocks: fc.integer({ min: 1, max: 4 }),
      streams: fc.integer({ min: 1, max: 3 }),
      fill: fc.nat(255),
    })
    fc.assert(
      fc.property(world, ({ geometry, pageSize, blocks, streams, fill }) => {
        const sizeBytes = blockBytes(blockShapeOf(geometry, pageSize))
        const sources = range(blocks).map((block) =>
          Uint8Array.from({ length: sizeBytes }, (_, i) => i * 31 + block * 7 + fill),
        )
        const tokens = Uint32Array.from(range(blocks * pageSize), (index) => index * 3 + fill)
        const plan = planRestore({ geometry, pageSize, tokens, streams })
        expect(stateFileBytes({ geometry, streams, tokens: tokens.length })).toBe(plan.sizeBytes)
        const bytes = assemble(plan, sources)
        const file = parsed(bytes, { values: geometry.value !== undefined })
        expect(file.geometry).toEqual(geometry)
        expect(file.tokens).toEqual(tokens)
        expect(file.streams).toBe(streams)
        expect(cut(file, bytes, 0, blocks, pageSize)).toEqual(sources)
      }),
      { numRuns: 300 },
    )
  })

  test('file → blocks → file gives the bytes that the engine would have written', () => {
    const bytes = writeStateText({ tokens: range(8), streams: [{ positions: range(8) }, undefined] })
    const blocks = cut(parsed(bytes), bytes, 0, 2)
    const plan = planRestore({ geometry, pageSize: PAGE, tokens: Uint32Array.from(range(8)), streams: 2 })
    expect(assemble(plan, blocks)).toEqual(bytes)
  })

  test('frame and pieces cover every byte of the file once', () => {
    const plan = planRestore({ geometry, pageSize: PAGE, tokens: new Uint32Array(12), streams: 2 })
    const covered = new Uint8Array(plan.sizeBytes)
    const cover = (from: number, length: number) => {
      for (let at = from; at < from + length; at++) covered[at]!++
    }
    for (const { offset, bytes } of plan.frame) cover(offset, bytes.length)
    for (let row = 0; row < plan.pieces.length; row += 4) cover(plan.pieces[row + 2]!, plan.pieces[row + 3]!)
    expect(covered.every((times) => times === 1)).toBe(true)
  })

  test('tokens that fill no whole number of blocks are a RangeError', () => {
    for (const length of [0, 3, 5])
      expect(() => planRestore({ geometry, pageSize: PAGE, tokens: new Uint32Array(length) })).toThrow(RangeError)
    expect(() => planRestore({ geometry, pageSize: PAGE, tokens: new Uint32Array(4), streams: 0 })).toThrow(RangeError)
  })
})

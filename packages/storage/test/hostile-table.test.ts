import { readFileSync, writeFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { KvbmError } from '@kvbm/core'
import { createPortableBinding } from '@kvbm/native'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DiskAllocator, readSlotTable, slotDirectoryName } from '../src/index.js'
import {
  COPY_BYTES,
  decodeCopy,
  encodeSuperblock,
  FORMAT_VERSION,
  RECORD_BYTES,
  type Superblock,
  TABLE_OFFSET,
} from '../src/superblock.js'
import { onEachBinding, useRuntime } from './support/bindings.js'
import { storeBlocks } from './support/blocks.js'
import { TemporaryDirectory } from './support/temporary-directory.js'

const CORPUS = new URL('./corpus/superblock/', import.meta.url)
const SLOT_BYTES = 4096
const SLOTS = 8
const OPTIONS = { fingerprint: '{"model":"hostile"}', numSlots: SLOTS, slotBytes: SLOT_BYTES }
const REFUSALS = ['missing', 'empty', 'torn', 'foreign', 'newer', 'unreadable']
const REFUSED_WITH = ['KVBM_DIRECTORY_FOREIGN', 'KVBM_STORAGE_IO', 'KVBM_STORAGE_FULL'] as const

const sums = createPortableBinding()

/** Numbers that lengths and counts go wrong at. */
const anyWord = fc.oneof(
  fc.constantFrom(0, 1, 63, 64, 127, 128, 129, 2 ** 14, 2 ** 16, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1),
  fc.nat({ max: 2 ** 32 - 1 }),
)

type Change = (bytes: Uint8Array) => void

/** Changes a word somewhere below `end`. */
function changeBelow(end: number): fc.Arbitrary<Change> {
  return fc.tuple(fc.nat({ max: end - 4 }), anyWord).map(([at, word]) => (bytes) => {
    if (at + 4 <= bytes.length) new DataView(bytes.buffer, bytes.byteOffset).setUint32(at, word, true)
  })
}

const inputs = await readCorpus()

describe('a superblock', () => {
  const anyCopy = fc
    .record({
      input: fc.constantFrom(...inputs),
      changes: fc.array(changeBelow(200), { maxLength: 4 }),
      cut: fc.option(fc.nat({ max: COPY_BYTES })),
      isSummed: fc.boolean(),
    })
    .map(({ input, changes, cut, isSummed }) => {
      const bytes = input.slice()
      for (const change of changes) change(bytes)
      if (isSummed) sumAgain(bytes)
      return bytes.subarray(0, cut ?? bytes.length)
    })

  test('of any bytes is refused in a word, or means the same when it is written again', () => {
    fc.assert(
      fc.property(fc.oneof(anyCopy, fc.uint8Array({ maxLength: 300 })), (bytes) => {
        const decoded = decodeCopy(bytes, sums)
        if (typeof decoded === 'string') expect(['empty', 'torn', 'foreign']).toContain(decoded)
        else expectSameMeaning(decoded)
      }),
      { numRuns: 3000 },
    )
  })

  test('of the corpus is refused or read, and both happen', () => {
    const kinds = inputs.map((bytes) => typeof decodeCopy(bytes, sums))
    expect(new Set(kinds)).toEqual(new Set(['string', 'object']))
  })
})

onEachBinding((makeBinding) => {
  test('a directory of any bytes is refused as documented, or gives only records whose checksum holds', async () => {
    const runtime = useRuntime(makeBinding())
    using directory = new TemporaryDirectory()
    const root = directory.at('cache')
    const open = () => new DiskAllocator(root, { runtime }).openSlots(OPTIONS)
    await using whole = await open()
    await storeBlocks(whole, runtime, [0, 1, 2, 5])
    await whole.close()
    const folder = join(root, slotDirectoryName(OPTIONS.fingerprint))
    const path = join(folder, 'slots.kvbm')
    const table = new Uint8Array(readFileSync(path))
    const place = fc.oneof(changeBelow(200), changeIn(COPY_BYTES, 200), changeIn(TABLE_OFFSET, SLOTS * RECORD_BYTES))
    const history = fc.record({
      changes: fc.array(place, { minLength: 1, maxLength: 6 }),
      isSummed: fc.boolean(),
      cut: fc.option(fc.nat({ max: table.length }), { freq: 6 }),
    })
    await fc.assert(
      fc.asyncProperty(history, async ({ changes, isSummed, cut }) => {
        const bytes = table.slice()
        for (const change of changes) change(bytes)
        if (isSummed) sumEverythingAgain(bytes)
        writeFileSync(path, bytes.subarray(0, cut ?? bytes.length))
        await expectReadSafely(root, runtime)
        await expectOpenedSafely(open, bytes)
      }),
      { numRuns: 60 },
    )
    await runtime.close()
  })
})

/** Of a newer format only what keeps its place can be written again. */
function expectSameMeaning(decoded: Superblock): void {
  const again = decodeCopy(encodeSuperblock(decoded, sums), sums)
  const { formatVersion, sequence, fingerprint } = decoded
  const kept = formatVersion <= FORMAT_VERSION ? decoded : { formatVersion, sequence, fingerprint }
  expect(again).toMatchObject(kept)
}

async function expectReadSafely(root: string, runtime: ReturnType<typeof useRuntime>): Promise<void> {
  const found = await readSlotTable(root, slotDirectoryName(OPTIONS.fingerprint), { runtime })
  if (typeof found === 'string') expect(REFUSALS).toContain(found)
  else expect(found.records.count + found.records.damaged).toBeLessThanOrEqual(SLOTS)
}

async function expectOpenedSafely(
  open: () => ReturnType<DiskAllocator['openSlots']>,
  bytes: Uint8Array,
): Promise<void> {
  const file = await open().catch((error: unknown) => {
    expect(
      REFUSED_WITH.some((code) => KvbmError.is(error, code)),
      String(error),
    ).toBe(true)
  })
  if (file === undefined) return
  for (const slot of file.recovered.slots) expect(recordHolds(bytes, slot), `slot ${slot}`).toBe(true)
  await file.close()
}

function changeIn(begin: number, length: number): fc.Arbitrary<Change> {
  return changeBelow(length).map((change) => (bytes) => change(bytes.subarray(begin, begin + length)))
}

function recordHolds(table: Uint8Array, slot: number): boolean {
  const record = table.subarray(TABLE_OFFSET + slot * RECORD_BYTES, TABLE_OFFSET + (slot + 1) * RECORD_BYTES)
  return sums.crc32c(record.subarray(0, 60)) === viewOf(record).getUint32(60, true)
}

/** Behind a checksum that holds lies what only an author of bytes gets to. */
function sumAgain(copy: Uint8Array): void {
  const length = copy.length < 128 ? 0 : viewOf(copy).getUint32(12, true)
  if (length < 128 || length > copy.length) return
  const head = sums.crc32c(copy.subarray(0, 124))
  viewOf(copy).setUint32(124, sums.crc32c(copy.subarray(128, length), head), true)
}

function sumEverythingAgain(table: Uint8Array): void {
  for (const at of [0, COPY_BYTES]) sumAgain(table.subarray(at, at + COPY_BYTES))
  for (let slot = 0; slot < SLOTS; slot++) {
    const record = table.subarray(TABLE_OFFSET + slot * RECORD_BYTES, TABLE_OFFSET + (slot + 1) * RECORD_BYTES)
    if (record.some((byte) => byte !== 0)) viewOf(record).setUint32(60, sums.crc32c(record.subarray(0, 60)), true)
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

async function readCorpus(): Promise<Uint8Array[]> {
  const names = await readdir(CORPUS)
  return names.map((name) => new Uint8Array(readFileSync(new URL(name, CORPUS))))
}

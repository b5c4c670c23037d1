import assert from 'node:assert/strict'
import type { RecoverOptions, SlotRows } from '../../binding.js'
import type { CaseTable } from '../conformance-case.js'
import { type ConformanceWorld, jobOf, pattern } from '../conformance-world.js'

/** What no function takes for a number that it counts, measures or names things with. */
const NO_NUMBERS: readonly unknown[] = [
  ...[undefined, null, true, '1', '', 1n, Symbol('one'), () => 1, {}, [], [1], new Uint32Array(1)],
  { valueOf: () => 1 },
  Object.create(null),
  detached(new Uint8Array(4)),
]
const NO_COUNTS: readonly unknown[] = [...NO_NUMBERS, Number.NaN, Number.POSITIVE_INFINITY, -1, 0.5, 2 ** 53, 2 ** 60]
const NO_ARRAYS: readonly unknown[] = [undefined, null, 7, 'text', [1, 2, 3, 4], {}, new ArrayBuffer(64)]
const TYPED_ARRAYS = [
  ...[new Uint8Array(64), new Uint8ClampedArray(64), new Int8Array(64), new Uint16Array(64), new Uint32Array(64)],
  ...[new Int32Array(64), new Float32Array(64), new Float64Array(60), new BigUint64Array(64)],
  new DataView(new ArrayBuffer(64)),
]

/** Every array but those of one type, and one of that type whose buffer was transferred away. */
function notOf(type: { new (length: number): ArrayBufferView<ArrayBuffer> }): readonly unknown[] {
  return [...NO_ARRAYS, ...TYPED_ARRAYS.filter((array) => !(array instanceof type)), detached(new type(8))]
}

function detached<T extends ArrayBufferView<ArrayBuffer>>(array: T): T {
  structuredClone(array.buffer, { transfer: [array.buffer] })
  return array
}

const FOUR_SLOTS: RecoverOptions = { numSlots: 4, storedSlots: 4, slotBytes: 64 }

type Call = (world: ConformanceWorld, value: never) => unknown

/** Every argument and field, in words of its error, and what it must refuse. */
const ARGUMENTS: ReadonlyArray<readonly [name: string, wrong: readonly unknown[], call: Call]> = [
  ['sizeBytes', [...NO_COUNTS, 0], ({ binding }, value) => binding.createMemory(value)],
  ['bytes', notOf(Uint8Array), ({ binding }, value) => binding.adoptMemory(value)],
  ['region', NO_COUNTS, ({ binding }, value) => binding.commitMemory(value, 0, 1, false)],
  ['commitMemory|offset', NO_COUNTS, (world, value) => world.binding.commitMemory(world.memory(64), value, 1, false)],
  ['commitMemory|length', NO_COUNTS, (world, value) => world.binding.commitMemory(world.memory(64), 0, value, false)],
  ['region', NO_COUNTS, ({ binding }, value) => binding.mapFile(value, 64)],
  ['length', [...NO_COUNTS, 0], async (world, value) => world.binding.mapFile(await world.file(pattern(64)), value)],
  ['region', NO_COUNTS, ({ binding }, value) => binding.alignmentOffset(value, 64)],
  ['alignment', [...NO_COUNTS, 0], (world, value) => world.binding.alignmentOffset(world.memory(64), value)],
  ['region', NO_COUNTS, ({ binding }, value) => binding.windowOf(value, 0)],
  ['index', [...NO_COUNTS, 1], (world, value) => world.binding.windowOf(world.memory(64), value)],

  ['options', [undefined, null, 7, 'path'], ({ binding }, value) => binding.openFile(value)],
  ['options\\.path', [undefined, null, 7, {}, ['a']], (world, value) => world.open({ path: value })],
  ['region', NO_COUNTS, ({ binding }, value) => binding.reserveFile(value, 0, 1)],
  ['reserveFile|offset', NO_COUNTS, async (world, value) => world.binding.reserveFile(await world.file(), value, 1)],
  ['reserveFile|length', NO_COUNTS, async (world, value) => world.binding.reserveFile(await world.file(), 0, value)],
  ['region', NO_COUNTS, ({ binding }, value) => binding.readFile(value, 0, 1)],
  ['readFile|offset', NO_COUNTS, async (world, value) => world.binding.readFile(await world.file(), value, 1)],
  [
    'readFile|length',
    [...NO_COUNTS, 2 ** 32 + 1],
    async (world, value) => world.binding.readFile(await world.file(), 0, value),
  ],
  ['region', NO_COUNTS, ({ binding }, value) => binding.writeFile(value, 0, new Uint8Array(1))],
  [
    'writeFile|offset',
    NO_COUNTS,
    async (world, value) => world.binding.writeFile(await world.file(), value, new Uint8Array(1)),
  ],
  ['bytes', notOf(Uint8Array), async (world, value) => world.binding.writeFile(await world.file(), 0, value)],
  ['region', NO_COUNTS, ({ binding }, value) => binding.syncFile(value)],
  ['path', [undefined, null, 7, {}, ['a']], ({ binding }, value) => binding.lockFile(value)],

  ['options', [undefined, null, 7, 'two'], ({ binding }, value) => binding.createEngine(value)],
  ['pace', [undefined, null, 7, 'two'], (world, value) => world.binding.tuneEngine(world.engine(1), value)],
  [
    'depth',
    [...NO_COUNTS, 0, 1025, 2 ** 32],
    (world, value) => world.binding.tuneEngine(world.engine(1), { depth: value, requestBytes: 4096 }),
  ],
  [
    'requestBytes',
    [...NO_COUNTS, 0, 4095, 4097, 2 ** 30 + 4096],
    (world, value) => world.binding.tuneEngine(world.engine(1), { depth: 1, requestBytes: value }),
  ],
  [
    'engine',
    [...NO_COUNTS, 2 ** 40],
    ({ binding }, value) => binding.tuneEngine(value, { depth: 1, requestBytes: 4096 }),
  ],
  ['threads', [...NO_COUNTS, 0, 1025, 2 ** 32], ({ binding }, value) => binding.createEngine({ threads: value })],
  ['engine', [...NO_COUNTS, 2 ** 40], ({ binding }, value) => binding.submit(value, 1, jobOf([]))],
  ['engine', [...NO_COUNTS, 2 ** 40], ({ binding }, value) => binding.cancel(value, 1)],
  ['ticket', NO_NUMBERS, (world, value) => world.binding.submit(world.engine(1), value, jobOf([]))],
  ['ticket', NO_NUMBERS, (world, value) => world.binding.cancel(world.engine(1), value)],
  ['job', [undefined, null, 7, 'job'], (world, value) => world.binding.submit(world.engine(1), 1, value)],
  ['runs', notOf(Float64Array), (world, value) => world.binding.submit(world.engine(1), 1, { runs: value })],
  ['runs\\.length', [new Float64Array(4)], (world, value) => world.binding.submit(world.engine(1), 1, { runs: value })],
  ['sums', [null, 7, 'sums'], (world, value) => world.submit([], value)],
  ['sums\\.pieces', notOf(Float64Array), (world, value) => world.submit([], { ...noSums(), pieces: value })],
  ['sums\\.into', notOf(Uint32Array), (world, value) => world.submit([], { ...noSums(), into: value })],
  [
    'sums\\.when',
    ['', 'later', undefined, null, 7, {}],
    (world, value) => world.submit([], { ...noSums(), when: value }),
  ],

  ['bytes', notOf(Uint8Array), ({ binding }, value) => binding.crc32c(value)],
  [
    'seed',
    [...NO_COUNTS.filter((value) => value !== undefined), 2 ** 32],
    ({ binding }, value) => binding.crc32c(new Uint8Array(1), value),
  ],
  ['bytes', notOf(Uint8Array), ({ binding }, value) => binding.sha256(value)],
  ['tokens', notOf(Uint32Array), ({ binding }, value) => binding.hashBlocks(value, 1, new Uint32Array(512))],
  [
    'pageSize',
    [...NO_COUNTS, 0],
    ({ binding }, value) => binding.hashBlocks(new Uint32Array(1), value, new Uint32Array(8)),
  ],
  ['backing', notOf(Uint32Array), ({ binding }, value) => binding.hashBlocks(new Uint32Array(1), 1, value)],

  ['file|region', NO_COUNTS, ({ binding }, value) => binding.readSlots(value, 0, 1)],
  ['tableOffset', NO_COUNTS, async (world, value) => world.binding.readSlots(await world.file(), value, 1)],
  [
    'slotCount',
    [...NO_COUNTS, 2 ** 32 + 1],
    async (world, value) => world.binding.readSlots(await world.file(), 0, value),
  ],
  ['file|region', NO_COUNTS, ({ binding }, value) => binding.recoverSlots(value, 0, 1, FOUR_SLOTS)],
  [
    'tableOffset',
    NO_COUNTS,
    async (world, value) => world.binding.recoverSlots(await world.file(), value, 1, FOUR_SLOTS),
  ],
  [
    'slotCount',
    [...NO_COUNTS, 2 ** 32 + 1],
    async (world, value) => world.binding.recoverSlots(await world.file(), 0, value, FOUR_SLOTS),
  ],
  [
    'options',
    [undefined, null, 7],
    async (world, value) => world.binding.recoverSlots(await world.file(), 0, 1, value),
  ],
  ['options\\.numSlots', [...NO_COUNTS, 2 ** 27 + 1], (world, value) => recover(world, { numSlots: value })],
  ['options\\.storedSlots', [...NO_COUNTS, 5], (world, value) => recover(world, { storedSlots: value })],
  ['options\\.slotBytes', [...NO_COUNTS, 2 ** 32], (world, value) => recover(world, { slotBytes: value })],
  ['file|region', NO_COUNTS, ({ binding }, value) => binding.writeSlots(value, 0, oneRow())],
  ['tableOffset', NO_COUNTS, async (world, value) => world.binding.writeSlots(await world.file(), value, oneRow())],
  ['rows', [undefined, null, 7], async (world, value) => world.binding.writeSlots(await world.file(), 0, value)],
  ['file|region', NO_COUNTS, ({ binding }, value) => binding.clearSlots(value, 0, new Uint32Array(1))],
  [
    'tableOffset',
    NO_COUNTS,
    async (world, value) => world.binding.clearSlots(await world.file(), value, new Uint32Array(1)),
  ],
  ['slots', notOf(Uint32Array), async (world, value) => world.binding.clearSlots(await world.file(), 0, value)],
]

async function recover(world: ConformanceWorld, options: Partial<RecoverOptions>): Promise<unknown> {
  return world.binding.recoverSlots(await world.file(), 0, 1, { ...FOUR_SLOTS, ...options })
}

const COLUMNS = ['slots', 'hashes', 'parents', 'positions', 'lengths', 'checksums'] as const

export const argumentCases: CaseTable = {
  'a wrong argument is a RangeError or a TypeError that names it, of every function': async (world) => {
    for (const [name, wrong, call] of ARGUMENTS) {
      for (const value of wrong) await assertRefused(name, value, () => call(world, value as never))
    }
  },

  'a column of slot rows of another type is refused by its name': async (world) => {
    const file = await world.file()
    for (const name of COLUMNS) {
      for (const value of notOf(Uint32Array)) await assertColumnRefused(world, file, name, value)
    }
    for (const value of notOf(Float64Array)) await assertColumnRefused(world, file, 'generations', value)
    assert.equal((await world.binding.readFile(file, 0, 64)).length, 0, 'something was written')
  },

  'one wrong number in a row of a job is a RangeError, and nothing moves': async (world) => {
    const into = new Uint8Array(64)
    const good = [world.adopt(pattern(64)), 0, world.adopt(into), 0, 64]
    for (const field of good.keys()) {
      for (const number of [Number.NaN, Number.POSITIVE_INFINITY, -1, 0.5, 2 ** 53, 2 ** 60, 65]) {
        await assert.rejects(world.submit([good.with(field, number)]), RangeError)
      }
    }
    assert.deepEqual(into, new Uint8Array(64))
  },

  'slots beyond the last number that JavaScript counts to are a RangeError': async (world) => {
    const [file, last] = [await world.file(), Number.MAX_SAFE_INTEGER - 64]
    const { binding } = world
    await assert.rejects(binding.readSlots(file, last, 2), RangeError)
    await assert.rejects(binding.recoverSlots(file, last, 2, FOUR_SLOTS), RangeError)
    await assert.rejects(binding.writeSlots(file, last, { ...oneRow(), slots: Uint32Array.of(1) }), RangeError)
    await assert.rejects(binding.clearSlots(file, last, Uint32Array.of(1)), RangeError)
  },

  'bytes to write are read at the call': async (world) => {
    const [file, bytes] = [await world.file(), pattern(5000)]
    const written = world.binding.writeFile(file, 0, bytes)
    bytes.fill(0)
    await written
    assert.deepEqual(await world.binding.readFile(file, 0, 5000), pattern(5000))
  },

  'a read asks for no more memory than the file has bytes': async (world) => {
    const file = await world.file(pattern(10))
    assert.deepEqual(await world.binding.readFile(file, 4, 2 ** 32), pattern(10).subarray(4))
    assert.equal((await world.binding.readFile(file, 2 ** 40, 2 ** 32)).length, 0)
  },

  'a getter that transfers buffers away does no harm': async (world) => {
    const runs = new Float64Array(5)
    const job = {
      runs,
      get sums() {
        return void detached(runs)
      },
    }
    await assert.rejects(world.binding.submit(world.engine(1), 1, job as never), TypeError)
  },
}

function noSums(): { pieces: Float64Array; into: Uint32Array; when: 'before' } {
  return { pieces: new Float64Array(0), into: new Uint32Array(0), when: 'before' }
}

function oneRow(): SlotRows {
  return {
    slots: Uint32Array.of(0),
    generations: Float64Array.of(1),
    hashes: new Uint32Array(4),
    parents: new Uint32Array(4),
    positions: Uint32Array.of(0),
    lengths: Uint32Array.of(64),
    checksums: Uint32Array.of(0),
  }
}

async function assertColumnRefused(world: ConformanceWorld, file: number, name: string, value: unknown): Promise<void> {
  const rows = { ...oneRow(), [name]: value }
  await assertRefused(`rows\\.${name}`, value, () => world.binding.writeSlots(file, 0, rows))
}

/** What gives a promise must reject it and not throw. */
async function assertRefused(name: string, value: unknown, call: () => unknown): Promise<void> {
  const said = await refusal(call)
  const what = `${name}: ${describe(value)}`
  assert.ok(said instanceof RangeError || said instanceof TypeError, `${what} gave ${describe(said)}`)
  assert.match(said.message, new RegExp(`^(${name})\\b`), what)
}

async function refusal(call: () => unknown): Promise<unknown> {
  try {
    return await call()
  } catch (error) {
    return error
  }
}

function describe(value: unknown): string {
  if (ArrayBuffer.isView(value)) return `${value.constructor.name} of ${value.byteLength} bytes`
  return Object.prototype.toString.call(value)
}

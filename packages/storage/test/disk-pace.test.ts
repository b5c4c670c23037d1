import {
  closeSync,
  constants,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { type Binding, createPortableBinding, type DiskPace, loadBinding } from '@kvbm/native'
import { describe, expect, test } from 'vitest'
import { pacesFor } from '../src/calibrate-disk.js'
import { CALIBRATED_FROM_BYTES, choosePace, type PaceChoice } from '../src/choose-pace.js'
import { bestPace, PACE_DEFAULT } from '../src/disk-pace.js'
import { createTransferRuntime, DiskAllocator } from '../src/index.js'
import { posixTest } from './support/posix.js'
import { TemporaryDirectory } from './support/temporary-directory.js'

const MIB = 2 ** 20
const KEPT = 'calibration.json'
/** A clock that stands still: no trial is too slow, and all are equally fast. */
const still = (): number => 0

test('of paces that are about as fast as the fastest, the one with the fewest requests is taken', () => {
  const trials = [trialOf(4, 80), trialOf(8, 97), trialOf(16, 100), trialOf(2, 94)]
  expect(bestPace(trials).depth).toBe(8)
})

test('of equal depths the longer requests are taken', () => {
  const rate = 1
  const trials = [MIB / 8, MIB, MIB / 2].map((requestBytes) => ({ pace: { depth: 4, requestBytes }, rate }))
  expect(bestPace(trials).requestBytes).toBe(MIB)
})

test('no length of request is tried that no block has', () => {
  expect(new Set(pacesFor(128 * 1024).map(({ requestBytes }) => requestBytes))).toEqual(new Set([MIB]))
  expect(new Set(pacesFor(MIB).map(({ requestBytes }) => requestBytes))).toEqual(new Set([128 * 1024, MIB]))
})

describe('without a trial', () => {
  test('what is pinned holds, and nothing is made in the directory', async () => {
    using directory = new TemporaryDirectory()
    const io = { depth: 3, requestBytes: 65_536 }
    expect(await choosePace(choiceOf(directory, { io, binding: unusable() }))).toEqual({ ...io, chosenBy: 'pinned' })
    expect(readdirSync(directory.path)).toEqual([])
  })

  test('few bytes and files in the page cache have the default', async () => {
    using directory = new TemporaryDirectory()
    for (const other of [{ sizeBytes: CALIBRATED_FROM_BYTES - 1 }, { direct: false }]) {
      const chosen = await choosePace(choiceOf(directory, { ...other, binding: unusable() }))
      expect(chosen).toEqual({ ...PACE_DEFAULT, chosenBy: 'default' })
    }
  })

  test('a disk that fails while it is tried has the default, and no file is left', async () => {
    using directory = new TemporaryDirectory()
    const binding = createPortableBinding()
    binding.submit = () => Promise.reject(new Error('EIO'))
    expect((await choosePace(choiceOf(directory, { binding }))).chosenBy).toBe('default')
    expect(readdirSync(directory.path)).toEqual([])
  })

  test('a directory that is not there has the default', async () => {
    using directory = new TemporaryDirectory()
    const choice = { ...choiceOf(directory, {}), directory: directory.at('gone') }
    expect((await choosePace(choice)).chosenBy).toBe('default')
  })
})

const native = nativeWithDirectIo()
const why = typeof native === 'string' ? native : undefined
describe.skipIf(why !== undefined)(`with a trial${why === undefined ? '' : ` (skipped: ${why})`}`, () => {
  const binding = native as Binding

  test('it is made once for each directory, kept, and leaves nothing else', async () => {
    using directory = new TemporaryDirectory()
    const first = await choosePace(choiceOf(directory, { binding }))
    expect(first).toEqual({ depth: 4, requestBytes: MIB, chosenBy: 'calibrated' })
    expect(readdirSync(directory.path)).toEqual([KEPT])
    expect(await choosePace(choiceOf(directory, { binding: unusable() }))).toEqual(first)
  })

  test('what is pinned holds, the rest is found', async () => {
    using directory = new TemporaryDirectory()
    const chosen = await choosePace(choiceOf(directory, { binding, io: { depth: 31 } }))
    expect(chosen).toEqual({ depth: 31, requestBytes: MIB, chosenBy: 'calibrated' })
  })

  test.each([
    ['half a line', '{"version":1,"dep'],
    ['another version', change({ version: 2 })],
    ['another device', change({ device: '1' })],
    ['another machine', change({ machine: 'elsewhere' })],
    ['a depth that no engine takes', change({ depth: 0 })],
    ['a length that no request has', change({ requestBytes: 4097 })],
    ['something else', 'null'],
  ])('what was kept is ignored and replaced: %s', async (_, kept) => {
    using directory = new TemporaryDirectory()
    await choosePace(choiceOf(directory, { binding }))
    const good = readFileSync(directory.at(KEPT), 'utf8')
    writeFileSync(directory.at(KEPT), typeof kept === 'string' ? kept : kept(good))
    expect((await choosePace(choiceOf(directory, { binding }))).depth).toBe(4)
    expect(readFileSync(directory.at(KEPT), 'utf8')).toBe(good)
  })

  test('where it cannot be kept it holds all the same', async () => {
    using directory = new TemporaryDirectory()
    mkdirSync(directory.at(`${KEPT}.new`))
    expect((await choosePace(choiceOf(directory, { binding }))).chosenBy).toBe('calibrated')
    expect(readdirSync(directory.path)).toEqual([`${KEPT}.new`])
  })

  posixTest('a link in its place is not followed', async () => {
    using directory = new TemporaryDirectory()
    writeFileSync(directory.at('letter'), 'dear')
    symlinkSync(directory.at('letter'), directory.at(KEPT))
    expect((await choosePace(choiceOf(directory, { binding }))).chosenBy).toBe('calibrated')
    expect(readFileSync(directory.at('letter'), 'utf8')).toBe('dear')
  })

  test('a disk too slow to try everything has the default, and is tried again', async () => {
    using directory = new TemporaryDirectory()
    let ms = 0
    const now = (): number => (ms += 60)
    expect((await choosePace(choiceOf(directory, { binding, now }))).chosenBy).toBe('default')
    expect(readdirSync(directory.path)).toEqual([])
  })
})

describe('a runtime', () => {
  test('gives files the widest of the paces that are kept, within its threads, and then the default again', async () => {
    const binding = createPortableBinding()
    const tuned: DiskPace[] = []
    binding.tuneEngine = (_engine, pace) => void tuned.push(pace)
    await using runtime = createTransferRuntime({ binding, threads: 1, diskThreads: 12 })
    const releases = [
      { depth: 4, requestBytes: MIB / 8 },
      { depth: 99, requestBytes: 4096 },
    ].map((pace) => runtime.keepPace(pace))
    for (const release of releases) release()
    expect(tuned).toEqual([
      PACE_DEFAULT,
      { depth: 4, requestBytes: MIB / 8 },
      { depth: 12, requestBytes: MIB / 8 },
      { depth: 12, requestBytes: 4096 },
      PACE_DEFAULT,
    ])
  })

  test('has slots that say what was pinned', async () => {
    using directory = new TemporaryDirectory()
    await using runtime = createTransferRuntime({ binding: createPortableBinding() })
    const allocator = new DiskAllocator(directory.path, { runtime, io: { depth: 2, requestBytes: 8192 } })
    await using slots = await allocator.openSlots({ fingerprint: 'pinned', numSlots: 4, slotBytes: 8192 })
    expect(slots.describe().facts).toMatchObject({ ioDepth: 2, ioRequestBytes: 8192, ioChosenBy: 'pinned' })
  })

  test.each([
    [{ depth: 0 }, /io.depth/],
    [{ depth: 1025 }, /io.depth: expected at most 1024/],
    [{ requestBytes: 1000 }, /io.requestBytes: expected a multiple of 4096/],
    [{ requestBytes: 2 ** 31 }, /io.requestBytes/],
  ])('does not get %j', (io, message) => {
    expect(() => new DiskAllocator('never-made', { io })).toThrow(message)
  })

  test('names a field that does not exist', () => {
    const io = { depthh: 4 } as never
    expect(() => new DiskAllocator('never-made', { io })).toThrow(
      'io.depthh: no such field. There are: depth, requestBytes.',
    )
  })
})

function trialOf(depth: number, rate: number) {
  return { pace: { depth, requestBytes: MIB }, rate }
}

function choiceOf(directory: TemporaryDirectory, other: Partial<PaceChoice>): PaceChoice {
  const size = { slotBytes: MIB, sizeBytes: CALIBRATED_FROM_BYTES }
  const binding = createPortableBinding()
  return { binding, directory: directory.path, direct: true, io: {}, now: still, ...size, ...other }
}

/** Whoever touches it fails the test. */
function unusable(): Binding {
  return new Proxy({} as Binding, {
    get: (_, name) => {
      throw new Error(`nothing was to be tried, but ${String(name)} was asked for`)
    },
  })
}

/** Makes the same file with other fields. */
function change(fields: Readonly<Record<string, unknown>>) {
  return (good: string): string => JSON.stringify({ ...(JSON.parse(good) as object), ...fields })
}

function bypassesPageCache(): boolean {
  using directory = new TemporaryDirectory()
  try {
    closeSync(openSync(directory.at('file'), constants.O_RDWR | constants.O_CREAT | (constants.O_DIRECT ?? Number.NaN)))
    return true
  } catch {
    return false
  }
}

function nativeWithDirectIo(): Binding | string {
  if (process.env.KVBM_NATIVE === 'portable') return 'KVBM_NATIVE=portable forbids the addon'
  try {
    const binding = loadBinding({ native: 'required' })
    return bypassesPageCache() ? binding : 'no direct I/O in the directory for temporary files'
  } catch (error) {
    return `the addon is not built here (${(error as Error).message.split('\n')[0]})`
  }
}

import assert from 'node:assert/strict'
import { KvbmError, type Storage, type StorageAllocator } from '@kvbm/core'
import type { NativeTransferRuntime } from '../transfer-runtime.js'
import { wrapMemory } from '../wrap-memory.js'

/** Which allocator is examined. */
export interface AllocatorConformanceOptions {
  /** A fresh allocator; its storages must belong to `runtime`. */
  readonly make: () => StorageAllocator
  readonly runtime: NativeTransferRuntime
  /** Whether `bytes()` shows the memory. */
  readonly addressable: boolean
}

/** One sentence that must hold, and the examination. For any test runner: `for (const c of cases) test(c.name, c.run)`. */
export interface ConformanceCase {
  readonly name: string
  run(): Promise<void>
}

/** What every `StorageAllocator` has to do, whatever it allocates. */
export function allocatorConformance(options: AllocatorConformanceOptions): ConformanceCase[] {
  const { make, runtime, addressable } = options
  const examine = (name: string, check: (storage: Storage) => Promise<void> | void, sizeBytes = 64 * 1024) => ({
    name,
    run: async () => {
      const storage = await make().allocate({ sizeBytes, label: 'conformance' })
      try {
        await check(storage)
      } finally {
        await storage.close()
      }
    },
  })
  const general: ConformanceCase[] = [
    { name: 'a size of zero, a negative or a broken one is a RangeError', run: () => refusesSizes(make()) },
    { name: 'describes itself with a sentence', run: async () => assert.notEqual(make().describe(), '') },
    examine('has exactly the size that was asked for', (s) => assert.equal(s.sizeBytes, 12_345), 12_345),
    examine('has the kind of its allocator', (storage) => assert.equal(storage.kind, make().kind)),
    examine('its description is plain JSON with kind and size', describesItself),
    examine('fresh bytes are zero', async (s) => assert.deepEqual(await read(s, 4096, 512), new Uint8Array(512))),
    examine('what is copied in comes out, at both ends and unaligned', (s) =>
      keepsBytes(s, [0, 1, 4095, 65_536 - 777]),
    ),
    examine('the alignment offset is below the alignment', alignsItself),
    examine('commit may be called again', (storage) => {
      storage.commit()
      storage.commit()
    }),
    { name: 'a lazy storage works once committed', run: () => worksLazily() },
    { name: 'two storages do not share bytes', run: () => staysApart() },
    { name: 'close is idempotent and ends every method with KVBM_CLOSED', run: () => closes() },
  ]
  return [...general, ...(addressable ? addressableCases() : [examine('shows no bytes', (s) => hidesBytes(s))])]

  function addressableCases(): ConformanceCase[] {
    return [
      examine('a copy beyond its end is a RangeError', (storage) =>
        assert.rejects(write(storage, storage.sizeBytes - 1, new Uint8Array(2)), RangeError),
      ),
      examine('bytes() shows what was copied in', async (storage) => {
        await write(storage, 100, pattern(50))
        assert.deepEqual(Uint8Array.from(storage.bytes(100, 50)!), pattern(50))
      }),
      examine('what is written through bytes() is copied out', async (storage) => {
        storage.bytes(7, 9)!.set(pattern(9))
        assert.deepEqual(await read(storage, 7, 9), pattern(9))
      }),
      examine('two views show the same memory', (storage) => {
        storage.bytes(0, 8)!.fill(7)
        assert.equal(storage.bytes(4, 1)![0], 7)
      }),
      examine('a view beyond its end is a RangeError', (storage) => {
        assert.throws(() => storage.bytes(storage.sizeBytes, 1), RangeError)
        assert.throws(() => storage.bytes(-1, 1), RangeError)
      }),
    ]
  }

  async function read(storage: Storage, offset: number, lengthBytes: number): Promise<Uint8Array> {
    const into = new Uint8Array(lengthBytes)
    const target = wrapMemory(into, { runtime })
    try {
      await runtime.submit({ runs: Float64Array.of(storage.regionId, offset, target.regionId, 0, lengthBytes) })
    } finally {
      await target.close()
    }
    return into
  }

  async function write(storage: Storage, offset: number, bytes: Uint8Array): Promise<void> {
    const source = wrapMemory(bytes, { runtime })
    try {
      await runtime.submit({ runs: Float64Array.of(source.regionId, 0, storage.regionId, offset, bytes.length) })
    } finally {
      await source.close()
    }
  }

  async function keepsBytes(storage: Storage, offsets: readonly number[]): Promise<void> {
    for (const offset of offsets) {
      await write(storage, offset, pattern(777))
      assert.deepEqual(await read(storage, offset, 777), pattern(777), `bytes at offset ${offset}`)
    }
  }

  async function worksLazily(): Promise<void> {
    const storage = await make().allocate({ sizeBytes: 65_536, lazy: true, label: 'lazy' })
    try {
      storage.commit()
      await keepsBytes(storage, [0, 60_000])
    } finally {
      await storage.close()
    }
  }

  async function staysApart(): Promise<void> {
    const allocator = make()
    const a = await allocator.allocate({ sizeBytes: 4096, label: 'a' })
    const b = await allocator.allocate({ sizeBytes: 4096, label: 'b' })
    try {
      assert.notEqual(a.regionId, b.regionId)
      await write(a, 0, pattern(4096))
      assert.deepEqual(await read(b, 0, 4096), new Uint8Array(4096))
    } finally {
      await a.close()
      await b.close()
    }
  }

  async function closes(): Promise<void> {
    const storage = await make().allocate({ sizeBytes: 4096, label: 'closing' })
    await storage.close()
    await storage.close()
    const isClosed = (error: unknown): boolean => KvbmError.is(error, 'KVBM_CLOSED')
    assert.throws(() => storage.commit(), isClosed)
    assert.throws(() => storage.bytes(0, 1), isClosed)
    assert.throws(() => storage.alignmentOffset(1), isClosed)
    await assert.rejects(read(storage, 0, 1), RangeError)
  }
}

/** Recognisable bytes without a short period. */
function pattern(lengthBytes: number): Uint8Array {
  return Uint8Array.from({ length: lengthBytes }, (_, index) => (index * 31 + (index >> 8) * 7 + 1) & 0xff)
}

async function refusesSizes(allocator: StorageAllocator): Promise<void> {
  for (const sizeBytes of [0, -1, 1.5, Number.NaN]) {
    await assert.rejects(allocator.allocate({ sizeBytes, label: 'refused' }), RangeError, `size ${sizeBytes}`)
  }
}

function describesItself(storage: Storage): void {
  const description = storage.describe()
  assert.deepEqual(JSON.parse(JSON.stringify(description)), description)
  assert.equal(description.kind, storage.kind)
  assert.equal(description.sizeBytes, storage.sizeBytes)
}

function alignsItself(storage: Storage): void {
  for (const alignment of [1, 64, 4096]) {
    const offset = storage.alignmentOffset(alignment)
    assert.ok(offset >= 0 && offset < alignment, `offset ${offset} for alignment ${alignment}`)
  }
}

function hidesBytes(storage: Storage): void {
  assert.equal(storage.bytes(0, storage.sizeBytes), undefined)
}

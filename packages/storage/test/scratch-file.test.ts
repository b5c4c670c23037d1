import { readdirSync, readFileSync, statfsSync, writeFileSync } from 'node:fs'
import { KvbmError, type Storage } from '@kvbm/core'
import { expect, test } from 'vitest'
import { type NativeTransferRuntime, openScratchFile, wrapMemory } from '../src/index.js'
import { onEachBinding, useRuntime } from './support/bindings.js'
import { TemporaryDirectory } from './support/temporary-directory.js'

const linux = process.platform === 'linux'

onEachBinding((makeBinding) => {
  test('no room is an error of code KVBM_STORAGE_FULL that says how much there is, and leaves nothing behind', async () => {
    await using runtime = useRuntime(makeBinding())
    using directory = new TemporaryDirectory()
    const { bavail, bsize } = statfsSync(directory.path)
    const opening = openScratchFile({ runtime, directory: directory.path, sizeBytes: bavail * bsize * 2 })
    await expect(opening).rejects.toSatisfy((error) => KvbmError.is(error, 'KVBM_STORAGE_FULL'))
    await expect(opening).rejects.toThrow(/needs \d+ bytes more, \d+ are free/)
    expect(readdirSync(directory.path)).toEqual([])
  })

  test('a failed resize changes nothing', async () => {
    await using runtime = useRuntime(makeBinding())
    const file = await openScratchFile({ runtime, sizeBytes: 100 })
    await expect(file.resize(2 ** 52)).rejects.toSatisfy((error) => KvbmError.is(error, 'KVBM_STORAGE_FULL'))
    expect(file.sizeBytes).toBe(100)
    expect(readFileSync(file.path).length).toBe(100)
    await file.close()
  })

  test('a directory that does not exist is an error of code KVBM_STORAGE_IO', async () => {
    await using runtime = useRuntime(makeBinding())
    const opening = openScratchFile({ runtime, directory: '/nowhere/at/all', sizeBytes: 1 })
    await expect(opening).rejects.toSatisfy((error) => KvbmError.is(error, 'KVBM_STORAGE_IO'))
  })

  test.skipIf(!linux)('has no name in its directory, so that a killed process leaves nothing', async () => {
    await using runtime = useRuntime(makeBinding())
    using directory = new TemporaryDirectory()
    const file = await openScratchFile({ runtime, directory: directory.path, sizeBytes: 4096 })
    expect(readdirSync(directory.path)).toEqual([])
    expect(file.describe().facts.anonymous).toBe(true)
    await file.close()
  })

  test('the path shows what was copied in, and copies out what was written through the path', async () => {
    await using runtime = useRuntime(makeBinding())
    const file = await openScratchFile({ runtime, sizeBytes: 10_000 })
    await write(runtime, file, 5000, Uint8Array.of(1, 2, 3))
    expect([...readFileSync(file.path).subarray(4999, 5004)]).toEqual([0, 1, 2, 3, 0])
    writeFileSync(file.path, Uint8Array.of(9, 8, 7))
    expect(await read(runtime, file, 0, 3)).toEqual(Uint8Array.of(9, 8, 7))
    await file.close()
  })

  test('has exactly the size that was asked for, again after somebody truncated it', async () => {
    await using runtime = useRuntime(makeBinding())
    const file = await openScratchFile({ runtime, sizeBytes: 10_000 })
    expect(readFileSync(file.path).length).toBe(10_000)
    await file.resize(777)
    expect([file.sizeBytes, readFileSync(file.path).length]).toEqual([777, 777])
    writeFileSync(file.path, '')
    await file.resize(777)
    expect(readFileSync(file.path).length).toBe(777)
    await file.close()
  })

  test('a smaller size keeps the bytes below it', async () => {
    await using runtime = useRuntime(makeBinding())
    const file = await openScratchFile({ runtime, sizeBytes: 8192 })
    await write(runtime, file, 0, Uint8Array.of(5, 6))
    await file.resize(4096)
    expect(await read(runtime, file, 0, 2)).toEqual(Uint8Array.of(5, 6))
    await file.close()
  })

  test('is closed once, and then says so', async () => {
    await using runtime = useRuntime(makeBinding())
    using directory = new TemporaryDirectory()
    const file = await openScratchFile({ runtime, directory: directory.path, sizeBytes: 1 })
    await file.close()
    await file.close()
    expect(() => file.commit()).toThrow(/closed/)
    await expect(file.resize(1)).rejects.toThrow(/closed/)
    expect(readdirSync(directory.path)).toEqual([])
  })

  test('a size of zero, a negative or a broken one is a RangeError', async () => {
    await using runtime = useRuntime(makeBinding())
    for (const sizeBytes of [0, -1, 1.5])
      await expect(openScratchFile({ runtime, sizeBytes })).rejects.toThrow(RangeError)
  })
})

async function write(runtime: NativeTransferRuntime, file: Storage, offset: number, bytes: Uint8Array): Promise<void> {
  const source = wrapMemory(bytes, { runtime })
  await runtime.submit({ runs: Float64Array.of(source.regionId, 0, file.regionId, offset, bytes.length) })
  await source.close()
}

async function read(
  runtime: NativeTransferRuntime,
  file: Storage,
  offset: number,
  length: number,
): Promise<Uint8Array> {
  const into = new Uint8Array(length)
  const target = wrapMemory(into, { runtime })
  await runtime.submit({ runs: Float64Array.of(file.regionId, offset, target.regionId, 0, length) })
  await target.close()
  return into
}

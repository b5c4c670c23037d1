import type { StorageAllocator } from '@kvbm/core'
import { afterAll, describe, test } from 'vitest'
import {
  DeviceAllocator,
  DiskAllocator,
  type NativeTransferRuntime,
  PinnedAllocator,
  SystemAllocator,
} from '../src/index.js'
import { allocatorConformance } from '../src/testing/index.js'
import { onEachBinding, useRuntime } from './support/bindings.js'
import { TemporaryDirectory } from './support/temporary-directory.js'

onEachBinding((makeBinding) => {
  const runtime = useRuntime(makeBinding())
  const directories: TemporaryDirectory[] = []
  afterAll(async () => {
    await runtime.close()
    for (const directory of directories) directory[Symbol.dispose]()
  })
  const freshPath = (): string => {
    const directory = new TemporaryDirectory()
    directories.push(directory)
    return directory.at('cache')
  }

  examine('SystemAllocator', () => new SystemAllocator({ runtime }), runtime, true)
  examine('PinnedAllocator', () => new PinnedAllocator({ runtime }), runtime, true)
  examine('DeviceAllocator', () => new DeviceAllocator({ runtime }), runtime, true)
  examine('DiskAllocator', () => new DiskAllocator(freshPath(), { runtime }), runtime, false)
  examine(
    'DiskAllocator without direct I/O (case 16)',
    () => new DiskAllocator(freshPath(), { runtime, directIo: 'off' }),
    runtime,
    false,
  )
})

function examine(
  name: string,
  make: () => StorageAllocator,
  runtime: NativeTransferRuntime,
  addressable: boolean,
): void {
  describe(name, () => {
    for (const { name, run } of allocatorConformance({ make, runtime, addressable })) test(name, run)
  })
}

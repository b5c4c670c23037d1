import { type AllocatorSpec, positiveInteger, type StorageAllocator } from '@kvbm/core'
import { DeviceAllocator } from './device-allocator.js'
import { DiskAllocator } from './disk-allocator.js'
import { PinnedAllocator } from './pinned-allocator.js'
import { SystemAllocator } from './system-allocator.js'
import type { NativeTransferRuntime } from './transfer-runtime.js'

/** The allocator that a plain description means. */
export function createAllocator(spec: AllocatorSpec, runtime: NativeTransferRuntime): StorageAllocator {
  switch (spec.kind) {
    case 'system':
      return new SystemAllocator({ runtime })
    case 'pinned':
      return new PinnedAllocator({ runtime })
    case 'device':
      return new DeviceAllocator(spec.device === undefined ? { runtime } : { device: spec.device, runtime })
    case 'disk':
      return new DiskAllocator(spec.path, { runtime, ...(spec.io && { io: spec.io }), ...quotaOf(spec) })
    default:
      return unknownKind(spec)
  }
}

/** A description that came through a configuration has its quota in bytes. */
function quotaOf({ quota }: { readonly quota?: number | string | undefined }): { readonly quotaBytes?: number } {
  return quota === undefined ? {} : { quotaBytes: positiveInteger('allocator.quota', Number(quota)) }
}

function unknownKind(spec: never): never {
  throw new RangeError(`allocator: expected kind 'system', 'pinned', 'device' or 'disk', got ${JSON.stringify(spec)}`)
}

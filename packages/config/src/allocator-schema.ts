import type { AllocatorSpec, DiskIo, StorageAllocator } from '@kvbm/core'
import { z } from 'zod'
import { isByteSize, parseBytes } from './byte-size.js'
import { frozen } from './draft.js'
import { guarded } from './issues.js'
import { isAllocator } from './structural.js'

// Typed as the port has it, exactly optional; yet `device: undefined` from JavaScript is as good as absent.
const device = z
  .string()
  .regex(/^(cpu|cuda:\d{1,4})$/)
  .optional() as unknown as z.ZodExactOptional<z.ZodString>

const io = z
  .strictObject({
    depth: z.int().min(1).max(1024).optional(),
    requestBytes: z
      .int()
      .min(4096)
      .max(2 ** 30)
      .multipleOf(4096)
      .optional(),
  })
  .optional() as unknown as z.ZodExactOptional<z.ZodType<DiskIo, DiskIo>>

const quota = guarded<number | string>((value) => isByteSize(value) && parseBytes(value) >= 1)

/** An allocator as data. */
const allocatorSpecSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('system') }),
  z.strictObject({ kind: z.literal('pinned') }),
  z.strictObject({ kind: z.literal('device'), device }),
  z.strictObject({ kind: z.literal('disk'), path: z.string().min(1), io, quota: quota.optional() }),
])

/** An allocator as data or as an instance; an instance is recognised by its `allocate` method. */
export const allocatorSchema = z.union([z.custom<StorageAllocator>(isAllocator), allocatorSpecSchema])

/** Frozen copy of data, sizes in bytes; an instance as it is. */
export function settledAllocator(allocator: AllocatorSpec | StorageAllocator): AllocatorSpec | StorageAllocator {
  if (isAllocator(allocator)) return allocator
  if (allocator.kind !== 'disk' || allocator.quota === undefined) return frozen<AllocatorSpec>(allocator)
  return frozen<AllocatorSpec>({ ...allocator, quota: parseBytes(allocator.quota) })
}

import type { AllocatorSpec, StorageAllocator } from '@kvbm/core'
import { z } from 'zod'
import { frozen } from './draft.js'
import { isAllocator } from './structural.js'

// Typed as the port has it, exactly optional; yet `device: undefined` from JavaScript is as good as absent.
const device = z
  .string()
  .regex(/^(cpu|cuda:\d{1,4})$/)
  .optional() as unknown as z.ZodExactOptional<z.ZodString>

/** An allocator as data. */
const allocatorSpecSchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('system') }),
  z.strictObject({ kind: z.literal('pinned') }),
  z.strictObject({ kind: z.literal('device'), device }),
  z.strictObject({ kind: z.literal('disk'), path: z.string().min(1) }),
])

/** An allocator as data or as an instance; an instance is recognised by its `allocate` method. */
export const allocatorSchema = z.union([z.custom<StorageAllocator>(isAllocator), allocatorSpecSchema])

/** Frozen copy of data; an instance as it is. */
export function settledAllocator(allocator: AllocatorSpec | StorageAllocator): AllocatorSpec | StorageAllocator {
  return isAllocator(allocator) ? allocator : frozen<AllocatorSpec>(allocator)
}

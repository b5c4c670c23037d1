export { createAllocator } from './create-allocator.js'
export { DeviceAllocator, type DeviceAllocatorOptions } from './device-allocator.js'
export { LockUnavailableError } from './directory-lock.js'
export { DiskAllocator, type DiskAllocatorOptions } from './disk-allocator.js'
export { eraseSlots, type SlotErasure } from './erase-slots.js'
export type { FoundSlots } from './found-slots.js'
export { type MappedScratch, openMappedScratch } from './mapped-scratch.js'
export type { OpenSlotsOptions } from './open-slots.js'
export { PinnedAllocator } from './pinned-allocator.js'
export { claimDirectory } from './private-directory.js'
export type { RuntimeOption } from './runtime-option.js'
export { openScratchFile, type ScratchFile, type ScratchFileOptions } from './scratch-file.js'
export {
  isSlotDirectoryLocked,
  listSlotDirectories,
  removeSlotDirectory,
  type SlotDirectory,
  shrinkSlotDirectory,
  slotDirectoryName,
  slotOverheadBytes,
  slotsForBytes,
} from './slot-directories.js'
export type { SlotFile } from './slot-file.js'
export type { ReadSlotsOptions, SlotReader } from './slot-reader.js'
export type { CommitRows } from './slot-records.js'
export { readSlotTable, type SlotTable, type SlotTableRefusal } from './slot-table.js'
export { SystemAllocator } from './system-allocator.js'
export {
  createTransferRuntime,
  defaultTransferRuntime,
  type NativeTransferRuntime,
  type TransferRuntimeOptions,
} from './transfer-runtime.js'
export { type SlotVerification, type VerifyOptions, verifySlots } from './verify-slots.js'
export { type DirectoryLockOptions, type LockClock, withDirectoryLock } from './with-directory-lock.js'
export { type WrapMemoryOptions, wrapMemory } from './wrap-memory.js'

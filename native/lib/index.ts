export {
  ABI_VERSION,
  type Binding,
  type BindingDescription,
  type CommitResult,
  type DiskPace,
  type EngineOptions,
  type FileRegion,
  IN_BACKGROUND,
  type LockHandle,
  type MemoryRegion,
  ON_THREADS,
  type OpenFileOptions,
  type RecoveredSlots,
  type RecoverOptions,
  type SlotRecords,
  type SlotRows,
  WINDOW_STRIDE_BYTES,
} from './binding.js'
export type { LoadAttempt, LoadOptions } from './binding-loader.js'
export { createPortableBinding, loadBinding, nativeBuildReport } from './loader.js'
export type { NativeChoice } from './native-choice.js'

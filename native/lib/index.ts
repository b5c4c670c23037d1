export {
  ABI_VERSION,
  type Binding,
  type BindingDescription,
  type CommitResult,
  type FileRegion,
  type LockHandle,
  type MemoryRegion,
  type OpenFileOptions,
  type SlotRecords,
  type SlotRows,
  WINDOW_STRIDE_BYTES,
} from './binding.js'
export {
  createPortableBinding,
  type LoadAttempt,
  type LoadOptions,
  loadBinding,
  type NativeChoice,
  nativeBuildReport,
} from './loader.js'

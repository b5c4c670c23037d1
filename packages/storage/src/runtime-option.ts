import type { Binding } from '@kvbm/native'
import { defaultTransferRuntime, type NativeTransferRuntime } from './transfer-runtime.js'

/** Whose memory and files these are. Storages that are copied between each other need the same runtime. */
export interface RuntimeOption {
  /** Default: the process's shared runtime, made on first use. */
  readonly runtime?: NativeTransferRuntime
}

/** Asked when something is allocated, not before, so that making an allocator loads no library. */
export function runtimeOf(options: RuntimeOption): NativeTransferRuntime {
  return options.runtime ?? defaultTransferRuntime()
}

export function bindingOf(options: RuntimeOption): Binding {
  return runtimeOf(options).binding
}

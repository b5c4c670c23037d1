import { type AllocateRequest, KvbmError, type Storage, type StorageAllocator } from '@kvbm/core'
import { checkDeviceName, chooseDevice, type DeviceChoice } from './device-backend.js'
import { type RuntimeOption, runtimeOf } from './runtime-option.js'

/** Which device, and the transfer runtime that its memory belongs to. */
export interface DeviceAllocatorOptions extends RuntimeOption {
  /** `cpu`, `cuda:0`, `cuda:1` … Default: the best device here. */
  readonly device?: string
}

/**
 * Memory of a compute device. Without a name it means the best device here: a CUDA device where one can be used,
 * otherwise the CPU's own memory. `describe()` says which one it got and why.
 */
export class DeviceAllocator implements StorageAllocator {
  readonly kind = 'device'
  readonly #options: DeviceAllocatorOptions
  #choice: DeviceChoice | undefined

  /** Throws `RangeError` for a name that is none; a device that is missing here shows when memory is allocated. */
  constructor(device?: string | DeviceAllocatorOptions) {
    this.#options = typeof device === 'string' ? { device } : (device ?? {})
    checkDeviceName(this.#options.device)
  }

  /** Rejects with `DeviceUnavailableError` when the named device is not here. */
  async allocate(request: AllocateRequest): Promise<Storage> {
    return this.#chosen().backend.allocate(request)
  }

  describe(): string {
    try {
      const { backend, why } = this.#chosen()
      return `${backend.name}: ${why}`
    } catch (error) {
      if (KvbmError.is(error, 'KVBM_DEVICE_UNAVAILABLE')) return error.message
      throw error
    }
  }

  #chosen(): DeviceChoice {
    this.#choice ??= chooseDevice(this.#options.device, runtimeOf(this.#options))
    return this.#choice
  }
}

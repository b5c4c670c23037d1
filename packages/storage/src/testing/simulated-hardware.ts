import {
  type AllocateRequest,
  positiveInteger,
  type Storage,
  type StorageAllocator,
  type StorageDescription,
  StorageFullError,
} from '@kvbm/core'
import { type Binding, createPortableBinding } from '@kvbm/native'
import { type FaultController, withFaults } from '@kvbm/native/testing'
import type { DeviceBackend } from '../device-backend.js'
import { DiskAllocator } from '../disk-allocator.js'
import { allocateMemory } from '../memory-storage.js'
import { createTransferRuntime, type NativeTransferRuntime } from '../transfer-runtime.js'

/** Where the bytes really lie, and how large the device pretends to be. */
export interface SimulatedHardwareOptions {
  /** Default: a portable twin of its own. */
  readonly binding?: Binding
  /** Threads of the runtime, and streams of the device. Default 2. */
  readonly threads?: number
  /** Memory of the device; what goes beyond is `StorageFullError`. Default: no bound. */
  readonly deviceBytes?: number
}

/**
 * A device and a disk that fail on command, **for tests only**. Their bytes are real; what `faults` says happens to them:
 * errors, full disks, torn writes, flipped bits, accesses that hang until released, a device that is lost. Close `runtime` at
 * the end, after the storages.
 */
export interface SimulatedHardware {
  readonly runtime: NativeTransferRuntime
  readonly faults: FaultController
  /** Memory that the CPU cannot address, as a GPU's: it has no views, and bytes come and go by copies. */
  readonly device: StorageAllocator
  /** A disk allocator whose files fail on command. */
  disk(path: string): DiskAllocator
}

/** A machine whose device and disk fail on command. */
export function simulatedHardware(options: SimulatedHardwareOptions = {}): SimulatedHardware {
  const { binding, faults } = withFaults(options.binding ?? createPortableBinding())
  const runtime = createTransferRuntime({ binding, threads: options.threads ?? 2 })
  const backend = new SimulatedDevice(runtime, options.deviceBytes ?? Number.POSITIVE_INFINITY)
  return {
    runtime,
    faults,
    device: {
      kind: 'device',
      allocate: (request) => backend.allocate(request),
      describe: () => `${backend.name}: a simulation`,
    },
    disk: (path) => new DiskAllocator(path, { runtime }),
  }
}

class SimulatedDevice implements DeviceBackend {
  readonly name = 'simulated:0'
  readonly ordinal = 0
  readonly streamCount: number
  readonly #runtime: NativeTransferRuntime
  #freeBytes: number

  constructor(runtime: NativeTransferRuntime, capacityBytes: number) {
    this.#runtime = runtime
    this.streamCount = runtime.threads
    this.#freeBytes = capacityBytes
  }

  async allocate({ sizeBytes, lazy, label = 'device' }: AllocateRequest): Promise<Storage> {
    this.#take(positiveInteger('sizeBytes', sizeBytes))
    const giveBack = (): void => this.#take(-sizeBytes)
    const facts = { device: this.name, ordinal: this.ordinal, streams: this.streamCount }
    const { binding } = this.#runtime
    try {
      const memory = await allocateMemory({ binding, kind: 'device', sizeBytes, label, lock: false, facts }, lazy)
      return new HiddenMemory(memory, giveBack)
    } catch (error) {
      giveBack()
      throw error
    }
  }

  #take(bytes: number): void {
    if (bytes > this.#freeBytes) {
      throw new StorageFullError(
        `The simulated device has ${this.#freeBytes} bytes left, ${bytes} were asked for. Close other storages.`,
      )
    }
    this.#freeBytes -= bytes
  }
}

/** Memory that only copies reach. */
class HiddenMemory implements Storage {
  readonly kind = 'device'
  readonly sizeBytes: number
  readonly regionId: number
  readonly #memory: Storage
  readonly #onClose: () => void
  #closed = false

  constructor(memory: Storage, onClose: () => void) {
    this.sizeBytes = memory.sizeBytes
    this.regionId = memory.regionId
    this.#memory = memory
    this.#onClose = onClose
  }

  alignmentOffset(alignment: number): number {
    return this.#memory.alignmentOffset(alignment)
  }

  commit(): void {
    this.#memory.commit()
  }

  /** Checks what the memory behind it checks, and shows nothing. */
  bytes(offset: number, length: number): undefined {
    this.#memory.bytes(offset, length)
  }

  describe(): StorageDescription {
    return this.#memory.describe()
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#memory.close()
    this.#onClose()
  }
}

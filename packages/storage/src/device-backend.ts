import { type AllocateRequest, DeviceUnavailableError, invalidArgument, type Storage } from '@kvbm/core'
import { allocateMemory } from './memory-storage.js'
import type { NativeTransferRuntime } from './transfer-runtime.js'

/**
 * Internal port: one kind of device memory. What an arm for a GPU has to bring:
 * - `allocate` makes memory of *this* device a region of the runtime's binding, so that copy plans, which name regions
 *   and never addresses, stay as they are; `Storage.bytes` gives undefined where the CPU cannot address it.
 * - Copies are asynchronous by nature: the binding puts the rows of a job that touch the device on one of `streamCount`
 *   streams and settles the job's promise when the stream's event has completed. Rows of one job keep no order among
 *   themselves; jobs that depend on each other are awaited by their submitter. Nothing waits on the JavaScript thread.
 * - `ordinal` is the device's number in its driver (0 for the CPU). Memory of two ordinals may stand in one job.
 * - Checksums of its regions work as those of any memory: the binding fetches what the CPU cannot read in pieces.
 * - A lost device rejects jobs with `StorageIoError`; its memory stays mapped until the last job has ended.
 */
export interface DeviceBackend {
  /** `cpu`, `cuda:0` */
  readonly name: string
  readonly ordinal: number
  /** Copies that make progress at the same time. */
  readonly streamCount: number
  allocate(request: AllocateRequest): Promise<Storage>
}

/** Which device was chosen, and a sentence why. */
export interface DeviceChoice {
  readonly backend: DeviceBackend
  readonly why: string
}

const CUDA_MISSING = 'this version has no CUDA support'
const CUDA_NAME = /^cuda:(\d{1,3})$/

/** Checks the spelling only; whether the device exists is asked when memory is wanted. */
export function checkDeviceName(device: string | undefined): void {
  if (device === undefined || device === 'cpu' || CUDA_NAME.test(device)) return
  throw invalidArgument('device', `'cpu', 'cuda:0', 'cuda:1' … or nothing for the best device here`, device)
}

/** The named device, or without a name the best one here. Throws `DeviceUnavailableError`. */
export function chooseDevice(device: string | undefined, runtime: NativeTransferRuntime): DeviceChoice {
  if (device === 'cpu') return { backend: new CpuBackend(runtime), why: 'asked for' }
  if (device === undefined) {
    return {
      backend: new CpuBackend(runtime),
      why: `the best device here: no CUDA device can be used (${CUDA_MISSING})`,
    }
  }
  throw new DeviceUnavailableError(
    `Device ${device} is not available: ${CUDA_MISSING}. Use device 'cpu', or leave it out to get the best device here.`,
  )
}

/** The CPU's own memory: the real device of an engine that computes on the CPU. */
class CpuBackend implements DeviceBackend {
  readonly name = 'cpu'
  readonly ordinal = 0
  readonly streamCount: number
  readonly #runtime: NativeTransferRuntime

  constructor(runtime: NativeTransferRuntime) {
    this.#runtime = runtime
    this.streamCount = runtime.threads
  }

  allocate({ sizeBytes, lazy, label = 'device' }: AllocateRequest): Promise<Storage> {
    const facts = { device: this.name, ordinal: this.ordinal, streams: this.streamCount }
    const { binding } = this.#runtime
    return allocateMemory({ binding, kind: 'device', sizeBytes, label, lock: false, facts }, lazy)
  }
}

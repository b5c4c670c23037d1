/** What bytes lie in: ordinary memory, page-locked memory, memory of a compute device, or a file. */
export type StorageKind = 'system' | 'pinned' | 'device' | 'disk'

/** What a storage really got, for `status()` and people. Plain JSON. */
export interface StorageDescription {
  readonly kind: StorageKind
  readonly sizeBytes: number
  /** Facts by name, for example `locked: 'os'`, `hugePages: 'advised'`, `directIo: false`. */
  readonly facts: Readonly<Record<string, string | number | boolean>>
  /** Sentences about what could not be had, and why. */
  readonly notes: readonly string[]
}

/** Port: a fixed range of bytes, in memory or in a file. Copy plans name it by `regionId`, never by address. */
export interface Storage {
  readonly kind: StorageKind
  readonly sizeBytes: number
  /** Unique within one transfer runtime. */
  readonly regionId: number
  /** Bytes from the start of the storage to the first address that is a multiple of `alignment`. */
  alignmentOffset(alignment: number): number
  /**
   * Begins to make the memory real when it was reserved lazily: it is touched or locked in the background, and may be used at once.
   * Cheap, and nothing at all when done.
   */
  commit(): void
  /** Zero-copy view, or undefined where the CPU cannot address the bytes as one run (a file, a GPU, a split window). */
  bytes(offset: number, length: number): Uint8Array | undefined
  describe(): StorageDescription
  /** Idempotent. Views become empty. */
  close(): Promise<void>
}

/** What an allocator is asked for. */
export interface AllocateRequest {
  readonly sizeBytes: number
  /** Reserve address space or a name only; `commit()` makes it real. Default false. */
  readonly lazy?: boolean
  /** Named in errors and descriptions. */
  readonly label?: string
}

/** Port: gives storages. Throws `StorageFullError`, `DeviceUnavailableError` or `StorageIoError`. */
export interface StorageAllocator {
  readonly kind: StorageKind
  allocate(request: AllocateRequest): Promise<Storage>
  describe(): string
}

/** What a disk gets at a time. What is absent is found by a short trial, once for each directory and machine. */
export interface DiskIo {
  /** Requests under way, 1 to 1024, bounded by the threads that the runtime has for files. */
  readonly depth?: number
  /** Bytes of the longest request, a multiple of 4,096 up to 1 GiB: longer copies are cut. */
  readonly requestBytes?: number
}

/** An allocator as data; the manager makes the instance. */
export type AllocatorSpec =
  | { readonly kind: 'system' }
  | { readonly kind: 'pinned' }
  | { readonly kind: 'device'; readonly device?: string }
  | {
      readonly kind: 'disk'
      readonly path: string
      readonly io?: DiskIo
      /** Bytes over all models below the path: `'20GiB'` or a number. Models that nobody has open make room, the longest unused first. */
      readonly quota?: number | string | undefined
    }

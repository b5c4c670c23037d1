import type { TransferJob } from '@kvbm/core'

/** Raised with every change of the border below; the loader refuses a library that speaks another number. */
export const ABI_VERSION = 6

/**
 * Windows of a memory region start at multiples of this and are twice as long (the last ones end with the region), so that any
 * run of up to 1 GiB lies in one. The portable twin cannot show the same bytes through two buffers: its windows are one stride
 * long, and a run across a multiple of it has no single view there.
 */
export const WINDOW_STRIDE_BYTES = 2 ** 30

/** Flag of `submit`: the job goes behind all jobs without it. */
export const IN_BACKGROUND = 1
/** Flag of `submit`: the job runs on the engine's threads even if it is small. */
export const ON_THREADS = 2

/** Threads of an engine. They sleep when idle and do not keep the process alive then. */
export interface EngineOptions {
  /** They copy and sum in memory: as many as CPUs help. */
  readonly threads: number
  /** They read and write files: as many as the disk wants requests at a time. Default: as many as `threads`. */
  readonly diskThreads?: number
}

/** What a disk gets at a time. */
export interface DiskPace {
  /** Requests under way, 1 to 1024; threads of the disk beyond it rest. */
  readonly depth: number
  /** Longer rows from and to files are cut, up to 1 GiB. A multiple of 4,096. */
  readonly requestBytes: number
}

/** What a binding is and what its machine offers. Plain JSON. */
export interface BindingDescription {
  readonly kind: 'native' | 'portable'
  readonly abi: number
  /** How SHA-256 is computed: `openssl-low-level`, `openssl-evp`, `node-crypto`. */
  readonly sha256: string
  /** How CRC32C is computed: `vpclmulqdq`, `pclmulqdq`, `sse4.2`, `armv8`, `table`. */
  readonly crc32c: string
  readonly directIo: boolean
  readonly pageLocking: boolean
  readonly notes: readonly string[]
}

/** A range of memory, named by a number. */
export interface MemoryRegion {
  readonly id: number
  readonly sizeBytes: number
}

/** How the memory is held: page-locked by CUDA or the operating system, only touched (lock refused), or not committed yet. */
export interface CommitResult {
  readonly locked: 'cuda' | 'os' | 'touched' | 'no'
  /** Whether the system was told that huge pages are welcome. */
  readonly hugePages: boolean
  /** Bytes of the range that lie on huge pages; absent where the system does not tell. */
  readonly hugeBytes?: number
  /** Why a better state was not reached; empty when it was. */
  readonly note: string
}

/** An open file, named by a number. */
export interface FileRegion {
  readonly id: number
  readonly sizeBytes: number
  /** Whether aligned reads and writes bypass the page cache. Unaligned ones always go through it. */
  readonly direct: boolean
  readonly alignment: number
  /** Why direct I/O is off; empty when it is on. */
  readonly note: string
}

/** How a file is opened. */
export interface OpenFileOptions {
  readonly path: string
  readonly write: boolean
  /** Create when missing (mode 0600); the file must not exist when `exclusive`. */
  readonly create: boolean
  readonly exclusive?: boolean
  /** Try direct I/O. */
  readonly direct: boolean
}

/** Records found valid in a slot table, ascending by generation. Arrays are parallel; hashes and parents have 4 words a row. */
export interface SlotRecords {
  readonly count: number
  readonly slots: Uint32Array
  readonly generations: Float64Array
  readonly hashes: Uint32Array
  readonly parents: Uint32Array
  readonly positions: Uint32Array
  readonly lengths: Uint32Array
  readonly checksums: Uint32Array
  /** Records that were neither free nor valid (torn or damaged): counted, treated as free. */
  readonly damaged: number
}

/** Which records of a table are taken back. */
export interface RecoverOptions {
  /** Slots of the tier: rows of the columns, at most 2²⁷. */
  readonly numSlots: number
  /** Slots whose bytes exist, at most `numSlots`; records of later ones are dropped. */
  readonly storedSlots: number
  /** Records of blocks of another length are dropped. */
  readonly slotBytes: number
}

/**
 * What is in the slots of a tier. Columns are by slot and have a row for each of them, zero where a slot is free. They and `index`
 * are whole arrays of their own, on huge pages where the system gives them, so that who builds on them need not copy.
 */
export interface RecoveredSlots {
  /**
   * Slots with a record, in the order in which they may be given up: oldest first, but none before a child of it. From the newest to
   * the oldest, each takes those ancestors that have no place yet along, the root as the newest; so blocks that were written head
   * first come back with the tail in front, and an order that is right already stays. A parent is the block whose hash and position
   * the child names. A block that was evicted and cached again in another slot has two records until its first slot is used again;
   * only the newer one is here.
   */
  readonly slots: Uint32Array
  /** 1 where a slot has a record, be it an older one of its hash. */
  readonly live: Uint8Array
  /** Four words a row, like `parents`. */
  readonly hashes: Uint32Array
  readonly parents: Uint32Array
  readonly positions: Uint32Array
  readonly checksums: Uint32Array
  /** Entries of a `HashIndex` of core over `hashes` that has exactly `slots`. */
  readonly index: Uint32Array
  /** Live slots. */
  readonly count: number
  /** Records that were neither free nor valid (torn or damaged): counted, treated as free. */
  readonly damaged: number
  /** Slots of valid records that do not fit, ascending. */
  readonly dropped: Uint32Array
  /** The highest of all valid records, 0 where there is none. */
  readonly lastGeneration: number
}

/** Columns of `SlotRecords`, given to write. */
export type SlotRows = Omit<SlotRecords, 'count' | 'damaged'>

/** A lock that is held until `release`, or until the process ends. */
export interface LockHandle {
  release(): void
}

/**
 * The border. Two implementations: the C++ addon and its portable twin. Few functions, each batch-shaped: a call costs about
 * 0.1 µs, so what costs are objects and promises, not calls. Memory and files are both *regions*, named by small integers that
 * are never reused by a binding; a wrong or closed number gives `RangeError`, never corrupts, and so does a range outside of its region.
 * Failures of the operating system reject or throw with `StorageIoError` / `StorageFullError` (ENOSPC, EDQUOT).
 * What returns a promise rejects it and never throws by itself. A wrong argument is a `RangeError`, a value of another kind, or an
 * array whose buffer was transferred away, a `TypeError`; both begin with the argument's name. Arguments are read at the call.
 */
export interface Binding {
  describe(): BindingDescription

  // ── Memory ──────────────────────────────────────────────────────────────
  /** Reserves address space, zero-filled when first touched. Throws `StorageFullError` when the system refuses. */
  createMemory(sizeBytes: number): MemoryRegion
  /**
   * Names memory that JavaScript owns; keeps it alive until closed, and never detaches it. A resizable buffer is a `TypeError`.
   * Once its buffer was transferred away, its range is empty.
   */
  adoptMemory(bytes: Uint8Array): MemoryRegion
  /**
   * Makes a range real, on another thread: advises huge pages, then locks or only touches. Keeps its bytes, which may be used
   * meanwhile. A region that closes meanwhile goes when this has ended. Not for adopted memory (`RangeError`).
   */
  commitMemory(region: number, offset: number, length: number, lock: boolean): Promise<CommitResult>
  /**
   * The first `length` bytes of a file as memory: `submit` copies them without a system call a row. Reserves them in the file.
   * Undefined where there is no safe way to it; then use the file. Whoever cuts the file shortens the memory for later jobs; nobody may
   * while one runs. It has no windows.
   */
  mapFile(region: number, length: number): Promise<MemoryRegion | undefined>
  /** Bytes from the region's start to the first address that is a multiple of `alignment` (0 where addresses are unknown). */
  alignmentOffset(region: number, alignment: number): number
  /**
   * Window `index` (see WINDOW_STRIDE_BYTES). The same object each time until the region closes, which detaches it.
   * Adopted memory has none (`RangeError`): its owner has the array.
   */
  windowOf(region: number, index: number): ArrayBuffer

  // ── Files ───────────────────────────────────────────────────────────────
  /** A symbolic link at the path's end is refused. The number is a region's: `submit` copies from and to it. */
  openFile(options: OpenFileOptions): Promise<FileRegion>
  /**
   * Makes `offset … offset+length` exist, by the best way the file system has; the file never shrinks and keeps its bytes.
   * `sparse`: the range exists, but a write to it may still find the disk full.
   */
  reserveFile(region: number, offset: number, length: number): Promise<'allocated' | 'zero-filled' | 'sparse'>
  /** Small reads and writes through the page cache: superblocks. A read past the end gives the shorter array. */
  readFile(region: number, offset: number, length: number): Promise<Uint8Array>
  writeFile(region: number, offset: number, bytes: Uint8Array): Promise<void>
  /** Flushes to the device. Never on a hot path. */
  syncFile(region: number): Promise<void>

  /**
   * Idempotent, also for numbers that never were. New uses fail at once. Memory: windows are detached and memory is freed, files
   * are closed, at once or when the last job and call that uses them ended.
   */
  closeRegion(region: number): void

  // ── Copies ──────────────────────────────────────────────────────────────
  createEngine(options: EngineOptions): number
  /** Of an engine's files, for jobs submitted from now on; `depth` at once. An engine begins with as many as it has threads for that, and 1 MiB. */
  tuneEngine(engine: number, pace: DiskPace): void
  /**
   * Runs one job; all rows or an error. All rows are checked before a byte moves. `ticket` names it for `cancel`. `flags` is a sum of
   * `IN_BACKGROUND` and `ON_THREADS`, default 0. Small memory-only jobs run within the call. Rows are copied at the call; memory stays
   * in use until the promise settles. Each row moves as if through a buffer, so its ends may overlap, except with `transpose`; rows
   * whose targets overlap other rows have no order. Blocks without pieces keep their number in `into`. A read past a file's end is a
   * `StorageIoError`.
   */
  submit(engine: number, ticket: number, job: TransferJob, flags?: number): Promise<void>
  /** True when the job had not started: its promise then rejects with an error of code `KVBM_CANCELLED`. */
  cancel(engine: number, ticket: number): boolean
  /** Refuses new jobs (`RangeError`), awaits queued and running ones, then ends the threads. Idempotent. */
  closeEngine(engine: number): Promise<void>

  // ── Checksums and hashes (synchronous, CPU-bound) ───────────────────────
  /** CRC32C (Castagnoli) of `bytes`, continuing from `seed` (0 to begin), an integer of 32 bits. */
  crc32c(bytes: Uint8Array, seed?: number): number
  /** First 16 bytes of SHA-256, little-endian words. For roots; never on a hot path. */
  sha256(bytes: Uint8Array): Uint32Array
  /**
   * Chain of SHA-256 hashes: `backing` holds the parent in its first 4 words; hash i (4 words at 4·(i+1)) becomes the first
   * 16 bytes of SHA-256(hash i−1 ‖ tokens of block i as u32le). Hashes ⌊tokens.length ÷ pageSize⌋ blocks.
   */
  hashBlocks(tokens: Uint32Array, pageSize: number, backing: Uint32Array): void

  // ── Slot table (docs/durability.md gives the record's 64 bytes) ─────────
  /** A table that ends early has no records there. */
  readSlots(file: number, tableOffset: number, slotCount: number): Promise<SlotRecords>
  /**
   * Reads a table to go on from it: one scan, which checks, puts in order and indexes by hash, in about the time that reading takes.
   * A table that ends early has no records there.
   */
  recoverSlots(file: number, tableOffset: number, slotCount: number, options: RecoverOptions): Promise<RecoveredSlots>
  /** Writes records of the given slots. */
  writeSlots(file: number, tableOffset: number, rows: SlotRows): Promise<void>
  /** Makes the records of these slots free. */
  clearSlots(file: number, tableOffset: number, slots: Uint32Array): Promise<void>

  // ── Lock ────────────────────────────────────────────────────────────────
  /**
   * Exclusive advisory lock on a file (created when missing, mode 0600, close-on-exec). Undefined when another holds it, be it in
   * this process. The system frees it when the process ends in any way. `release` is idempotent.
   */
  lockFile(path: string): Promise<LockHandle | undefined>
}

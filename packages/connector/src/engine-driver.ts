import type { InnerOrder } from '@kvbm/config'
import type { BlockGather, BlockScatter, DType, Storage } from '@kvbm/core'

/** What one block of an engine's KV holds. Every layer and outer entry has rows of the same width. */
export interface KvGeometry {
  readonly numLayers: number
  /** 2 for key and value, 1 for a fused cache. */
  readonly outerDim: 1 | 2
  /** Tokens per block. */
  readonly pageSize: number
  /** KV heads × head size; with an opaque dtype the bytes of a row. */
  readonly innerDim: number
  readonly dtype: DType
  readonly innerOrder: InnerOrder
}

/** What must be equal for two blocks of one prompt to be the same bytes; becomes the model id of the salt and the fingerprint. */
export interface KvIdentity {
  /** For people: `SmolLM2-135M-Instruct.Q4_1.gguf`. */
  readonly name: string
  /** Every fact that changes KV bytes: file size and hashes, engine and format version, RoPE settings … Canonical, sorted by key. */
  readonly facts: Readonly<Record<string, string | number | boolean>>
  /** Adapters in use with their scales, e.g. `style.gguf@0.5`. */
  readonly loras: readonly string[]
}

/** What restoring and capturing cost in this engine. */
export interface KvEngineCapabilities {
  /** `whole-sequence`: a restore replaces all that the slot holds. `append`: blocks can follow what is there. */
  readonly restore: 'whole-sequence' | 'append'
  /** `whole-sequence`: every capture costs the bytes of all tokens in the slot. `range`: only those asked for. */
  readonly capture: 'whole-sequence' | 'range'
  /** Rows of a batch below which the engine computes differently; exact mode keeps to its side of that. Absent: it never does. */
  readonly minTailForExact?: number
  /** Rows the engine evaluates at once, counted from a prompt's first token. Exact mode needs it beside `minTailForExact`. */
  readonly batchTokens?: number
}

/** Why an engine's KV cannot be cut into blocks. The names are API: reports, metrics and docs use them. */
export type DeclineReason =
  | 'sliding-window'
  | 'recurrent'
  | 'hybrid'
  | 'multimodal'
  | 'v-transposed'
  | 'context-shift'
  | 'unequal-layers'
  | 'unknown-adapters'
  | 'unknown-format'

/** Whether the KV of an engine's model can be cut into blocks, or why not. */
export type KvSupport =
  | { readonly ok: true }
  | { readonly ok: false; readonly reason: DeclineReason; readonly detail: string }

/** Memory or a file through which KV passes between blocks and the engine. Lent for one restore or capture. */
export interface HandOver {
  readonly storage: Storage
  /** Where the engine finds the same bytes as a file; undefined when plain memory was asked for. */
  readonly path: string | undefined
}

/** Lends hand-over storage of at least `sizeBytes`; bounded, so it may wait. Given back when `use` settles. */
export type LendHandOver = <T>(
  request: { readonly sizeBytes: number; readonly file: boolean; readonly signal?: AbortSignal | undefined },
  use: (handOver: HandOver) => Promise<T>,
) => Promise<T>

/** Blocks of a prompt's prefix, ready to be put into the engine. Checked on the way: see `BlockGather.gather`. */
export interface KvBlockSource extends BlockGather {
  readonly lend: LendHandOver
}

/** Where a driver puts the blocks it captured. */
export interface KvBlockSink {
  readonly lend: LendHandOver
  /** 1 for every block of `[fromBlock, toBlock)` that is new to the cache; index 0 is `fromBlock`. */
  readonly wanted: Uint8Array
  /**
   * Lends fresh blocks for as many of the wanted ones, from the first on, as there is room for; index i of the lent blocks is the
   * i-th wanted one. They are registered when `fill` resolves and given back when it rejects. Resolves with how many were stored.
   */
  store(fill: (blocks: BlockScatter) => Promise<void>): Promise<number>
}

/** Blocks to bring into a slot of the engine. */
export interface RestoreRequest<Slot> {
  readonly slot: Slot
  /** Exactly the tokens of the blocks: `blocks.count × pageSize`. */
  readonly tokens: Uint32Array
  readonly blocks: KvBlockSource
  readonly signal?: AbortSignal | undefined
}

/** Blocks to take out of a slot of the engine: `fromBlock` up to, not including, `toBlock`. */
export interface CaptureRequest<Slot> {
  readonly slot: Slot
  /** The prompt from its first token to at least the end of block `toBlock`; the driver checks that the slot holds just these. */
  readonly tokens: Uint32Array
  readonly fromBlock: number
  readonly toBlock: number
  readonly sink: KvBlockSink
  readonly signal?: AbortSignal | undefined
}

/** What one capture brought, and what it cost. */
export interface CaptureOutcome {
  /** Blocks that are in the cache now and were not before. */
  readonly stored: number
  /** How long the engine could not decode because of this, in milliseconds, and the bytes it saved meanwhile. */
  readonly stallMs: number
  readonly savedBytes: number
  /** The slot did not hold these tokens any more; nothing was stored. */
  readonly slotMoved?: boolean
  /** The engine's KV turned out to be of a kind that cannot be cut into blocks; nothing was stored and nothing will be. */
  readonly declined?: Extract<KvSupport, { ok: false }>
}

/**
 * Port: one engine's KV bytes in and out. It knows bytes, not policy: what to load, when to capture and what to believe is the
 * connector's. A slot is whatever the engine keeps one sequence in.
 */
export interface KvEngineDriver<Slot> {
  readonly geometry: KvGeometry
  readonly identity: KvIdentity
  readonly capabilities: KvEngineCapabilities
  /** Asked before each use; what shows only in the bytes comes back as `declined` from a capture. */
  supports(): KvSupport
  /**
   * Puts the blocks into the slot so that its next token is number `resolved`. Returns the tokens resident: those of as many blocks as
   * `blocks.gather` said are sound. Resolves with 0 and an empty slot when nothing could be restored. Never throws for bad blocks. An
   * abort rejects with the signal's reason and leaves the slot empty.
   */
  restore(request: RestoreRequest<Slot>): Promise<number>
  /**
   * Copies wanted blocks out of the slot. Holds the engine only while it saves, not while it stores. A restore of the same slot may be
   * asked for meanwhile: the driver keeps apart what the engine cannot do at once. An abort rejects with the signal's reason.
   */
  capture(request: CaptureRequest<Slot>): Promise<CaptureOutcome>
}

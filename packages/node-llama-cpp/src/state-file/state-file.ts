import type { StateGeometry } from './state-geometry.js'

/** First word of a per-sequence state file, "ggsq" read as a little-endian number. */
export const MAGIC = 0x67677371
/** The format version this codec knows. */
export const VERSION = 3

/** Magic, version, number of tokens. */
export const HEADER_BYTES = 12
/** Position, number of sequences, sequence. */
export const CELL_BYTES = 12
/** The part of a cell that models with several positions per token (M-RoPE) have on top. */
export const CELL_EXTRA_BYTES = 12
/** Whether values are transposed, number of layers. */
export const DATA_HEADER_BYTES = 8
/** Type and row width before a layer's rows. */
export const LAYER_HEADER_BYTES = 12

/** A state file that can be cut into blocks: where each row lies. Its bytes stay where they are. */
export interface StateFile {
  readonly sizeBytes: number
  readonly geometry: StateGeometry
  /** Tokens whose rows the file holds at positions 0, 1, 2 … It may hold rows of further positions (predicted tokens). */
  readonly tokens: Uint32Array
  /** KV streams of the context that wrote it: one, or one per sequence. */
  readonly streams: number
  /** Rows of three: position, cell, length. Positions ascend without gaps; cells of one row are consecutive. */
  readonly spans: Uint32Array
  /** Offset of each layer's first key row. */
  readonly keysAt: Float64Array
  /** Offset of each layer's first value row; empty where there are none. */
  readonly valuesAt: Float64Array
}

/** Why a file cannot be cut into blocks. */
export type StateRefusal =
  /** It ends before what its counts promise. */
  | 'truncated'
  /** Something follows: the second cache of a sliding-window or hybrid model, or it is not such a file. */
  | 'trailing-bytes'
  | 'foreign-magic'
  | 'other-version'
  /** More tokens or cells than the caller allows. */
  | 'too-large'
  /** It holds no token. */
  | 'empty'
  /** More than one stream holds cells. */
  | 'several-streams'
  /** Values are stored by channel, not by token: flash attention was off. */
  | 'v-transposed'
  /** Cells carry 2D positions or tokens (M-RoPE). */
  | 'extra-cell-records'
  | 'unequal-layers'
  /** A KV type we do not know, or rows that are no whole number of its blocks. */
  | 'unknown-type'
  | 'malformed'
  | 'duplicate-positions'
  /** Positions are missing: dropped by a sliding window, or erased. */
  | 'holes'
  /** Fewer cells than tokens. */
  | 'cells-missing'

/** A file that can be cut, or why not: a name for programs, numbers for people. */
export type ParsedState =
  | { readonly ok: true; readonly file: StateFile }
  | { readonly ok: false; readonly reason: StateRefusal; readonly detail: string }

import type { MemorySlot } from './memory-slot.js'

export interface MemoryModelOptions {
  /** Changes every byte: another model. */
  readonly seed: number
  /** Rows of a batch below which results differ; 0: they never do. */
  readonly minRows: number
  readonly batchTokens: number
}

/**
 * Computes KV bytes that are a pure function of the prefix: each token's rows depend on the *bytes* of the token before it, so that one
 * wrong byte anywhere shows in everything after it. If `minRows` is set, they also depend on whether the batch was that large.
 */
export class MemoryModel {
  readonly #options: MemoryModelOptions

  constructor(options: MemoryModelOptions) {
    this.#options = options
  }

  /** Appends tokens to a slot, in batches that begin where the evaluation begins. */
  evaluate(slot: MemorySlot, tokens: Uint32Array): void {
    const { batchTokens } = this.#options
    for (let at = 0; at < tokens.length; at += batchTokens)
      this.#batch(slot, tokens.subarray(at, Math.min(at + batchTokens, tokens.length)))
  }

  /** A number that depends on every byte that the slot holds: what the logits of a real model are. */
  logits(slot: MemorySlot): number {
    let digest = this.#options.seed
    for (let index = 0; index < slot.length; index++) digest = mix(digest, digestOf(slot, index))
    return digest
  }

  #batch(slot: MemorySlot, tokens: Uint32Array): void {
    const side = tokens.length < this.#options.minRows ? 1 : 0
    for (const token of tokens) {
      const index = slot.length
      slot.append([token])
      const before = index === 0 ? this.#options.seed : digestOf(slot, index - 1)
      fill(slot, index, mix(mix(before, token), side))
    }
  }
}

function fill(slot: MemorySlot, index: number, seed: number): void {
  for (let region = 0; region < slot.shape.regions; region++) {
    let state = mix(seed, region + 1)
    const row = slot.row(region, index)
    for (let at = 0; at < row.length; at++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
      row[at] = state >>> 24
    }
  }
}

function digestOf(slot: MemorySlot, index: number): number {
  let digest = 0x811c9dc5
  for (let region = 0; region < slot.shape.regions; region++)
    for (const byte of slot.row(region, index)) digest = Math.imul(digest ^ byte, 0x01000193) >>> 0
  return digest
}

function mix(a: number, b: number): number {
  let value = (a ^ Math.imul(b + 0x9e3779b9, 0x85ebca6b)) >>> 0
  value = Math.imul(value ^ (value >>> 15), 0xc2b2ae35) >>> 0
  return (value ^ (value >>> 13)) >>> 0
}

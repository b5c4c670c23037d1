import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { blockBytes } from '@kvbm/core'
import type { LlamaContextSequence, Token } from 'node-llama-cpp'
import {
  blockShapeOf,
  memorySource,
  parseStateFile,
  planCapture,
  planRestore,
  type StateFile,
} from '../../src/index.js'
import { assemble, emptyBlocks, scatter } from './block-copies.js'

/** Tokens per block. */
export const PAGE = 16

/** What a sequence held, as the engine saved it and as blocks. */
export interface Captured {
  readonly bytes: Uint8Array
  readonly file: StateFile
  /** The full blocks, in canonical order. */
  readonly blocks: readonly Uint8Array[]
}

/** Saves a sequence through the engine and cuts all its full blocks out of the file. */
export async function captureBlocks(sequence: LlamaContextSequence, directory: string): Promise<Captured> {
  const path = join(directory, 'saved.state')
  await sequence.saveStateToFile(path)
  const bytes = await readFile(path)
  const result = parseStateFile(memorySource(bytes))
  if (!result.ok) throw new Error(`${result.reason}: ${result.detail}`)
  const count = Math.floor(result.file.tokens.length / PAGE)
  const blocks = emptyBlocks(count, blockBytes(blockShapeOf(result.file.geometry, PAGE)))
  scatter(planCapture(result.file, { pageSize: PAGE, fromBlock: 0, toBlock: count }), bytes, blocks)
  return { bytes, file: result.file, blocks }
}

/** A state file of the first blocks of what was captured. */
export function fileOf({ file }: Captured, blocks: readonly Uint8Array[]): Uint8Array {
  const tokens = file.tokens.subarray(0, blocks.length * PAGE)
  return assemble(planRestore({ geometry: file.geometry, pageSize: PAGE, tokens, streams: file.streams }), blocks)
}

/** Loads a state file through the engine. */
export async function loadBytes(sequence: LlamaContextSequence, bytes: Uint8Array, directory: string): Promise<void> {
  const path = join(directory, 'assembled.state')
  await writeFile(path, bytes)
  await sequence.loadStateFromFile(path, { acceptRisk: true })
}

/** Evaluates tokens and returns what the model thinks of every possible next one. */
export async function logitsAfter(sequence: LlamaContextSequence, input: Token[]): Promise<Map<Token, number>> {
  const last = input.length - 1
  const results = await sequence.controlledEvaluate(
    input.map((token, index) => (index === last ? [token, { generateNext: { logits: true } }] : token)),
  )
  return results[last]!.next.logits!
}

/** Over the whole vocabulary. Throws if the two do not speak of the same tokens. */
export function largestDifference(a: Map<Token, number>, b: Map<Token, number>): number {
  if (a.size === 0 || a.size !== b.size) throw new Error(`${a.size} logits and ${b.size}`)
  let largest = 0
  for (const [token, logit] of a) {
    const other = b.get(token)
    if (other === undefined) throw new Error(`no logit of token ${token}`)
    largest = Math.max(largest, Math.abs(logit - other))
  }
  return largest
}

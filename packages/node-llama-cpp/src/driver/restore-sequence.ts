import { closeSync, openSync, writeSync } from 'node:fs'
import type { HandOver, RestoreRequest } from '@kvbm/connector'
import type { LlamaContextSequence } from 'node-llama-cpp'
import { type FramePiece, planRestore } from '../state-file/plan-restore.js'
import type { StateGeometry } from '../state-file/state-geometry.js'

/** A restore, and for what kind of KV. */
export interface SequenceRestore extends RestoreRequest<LlamaContextSequence> {
  readonly geometry: StateGeometry
  readonly pageSize: number
}

/**
 * Puts blocks into a sequence through one state file, which is complete and checked before the engine sees it: of a truncated one the
 * engine kills the process. Damaged blocks end the prefix: a shorter file is written then, because rows of a damaged block must not get
 * into the engine, not even to be erased.
 */
export async function restoreSequence(restore: SequenceRestore): Promise<number> {
  const { slot, tokens, blocks, geometry, pageSize, signal } = restore
  if (tokens.length === 0 || tokens.length >= slot.contextSize) return 0
  const plan = planRestore({ geometry, pageSize, tokens, streams: slot.context.totalSequences })
  const sound = await blocks.lend({ sizeBytes: plan.sizeBytes, file: true, signal }, async (handOver) => {
    signal?.throwIfAborted()
    const count = Math.min(tokens.length / pageSize, await blocks.gather(plan.pieces, handOver.storage))
    signal?.throwIfAborted()
    if (count === tokens.length / pageSize) await load(slot, handOver, plan.frame, signal)
    return count
  })
  if (sound === tokens.length / pageSize) return tokens.length
  return restoreSequence({ ...restore, tokens: tokens.subarray(0, sound * pageSize) })
}

async function load(
  slot: LlamaContextSequence,
  { path }: HandOver,
  frame: readonly FramePiece[],
  signal: AbortSignal | undefined,
): Promise<void> {
  writeFrame(path!, frame)
  await slot.loadStateFromFile(path!, { acceptRisk: true })
  if (!signal?.aborted) return
  await slot.clearHistory()
  signal.throwIfAborted()
}

/** Small and into memory: synchronous writes take less than going to another thread and back. */
function writeFrame(path: string, frame: readonly FramePiece[]): void {
  const descriptor = openSync(path, 'r+')
  try {
    for (const { bytes, offset } of frame) writeSync(descriptor, bytes, 0, bytes.length, offset)
  } finally {
    closeSync(descriptor)
  }
}

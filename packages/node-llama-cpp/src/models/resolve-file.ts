import { open } from 'node:fs/promises'
import { basename } from 'node:path'
import { ModelUnavailableError } from '@kvbm/core'
import { RANDOM_SEED_KEY } from './random-model.js'
import { reasonOf } from './resolve-options.js'
import type { ModelSource, ResolvedModel } from './resolved-model.js'

/** Bytes in which a GGUF file of ours says that it is random. */
const HEAD_BYTES = 16 * 1024

/** A file that is here. Rejects with `ModelUnavailableError` when there is none, or it is no GGUF file. */
export async function resolveFile(path: string, source: ModelSource): Promise<ResolvedModel> {
  const head = await readHead(path)
  if (!head.subarray(0, 4).equals(Buffer.from('GGUF')))
    throw new ModelUnavailableError(`${path} is no GGUF file. Give a file in GGUF format, usually named *.gguf.`)
  const random = head.includes(RANDOM_SEED_KEY)
  const label = random
    ? `Random weights (${basename(path)}): timing and KV bytes are real, the text is not.`
    : basename(path)
  return { path, source, label, realText: !random }
}

async function readHead(path: string): Promise<Buffer> {
  const handle = await open(path, 'r').catch((error: unknown) => {
    const remedy = 'Give the path of a GGUF file, hf:USER/REPOSITORY:QUANT, or random:smol135.'
    throw new ModelUnavailableError(`No model ${path}: ${reasonOf(error)}. ${remedy}`, { cause: error })
  })
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0)
    return buffer.subarray(0, bytesRead)
  } catch (error) {
    throw new ModelUnavailableError(`${path} cannot be read: ${reasonOf(error)}.`, { cause: error })
  } finally {
    await handle.close()
  }
}

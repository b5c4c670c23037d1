import { join } from 'node:path'
import { invalidArgument } from '@kvbm/core'
import { sizeOf } from './pinned-model.js'
import { RANDOM_SHAPES, type RandomShapeName, randomModelLabel, writeRandomModel } from './random-model.js'
import type { ResolveContext } from './resolve-options.js'
import type { ResolvedModel } from './resolved-model.js'

const RANDOM_REFERENCE = /^random:([a-z0-9]+)(?::(\d{1,10}))?$/
/** Part of the names of random models: changes when their bytes do. */
const RANDOM_FORMAT = 1

/** `random:SHAPE` or `random:SHAPE:SEED`: found among the models, or written there. */
export async function resolveRandom(reference: string, context: ResolveContext): Promise<ResolvedModel> {
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

import { createHash } from 'node:crypto'
import type { ModelInput } from '@kvbm/config'
import type { KvEngineDriver, KvIdentity } from './engine-driver.js'

/** SHA-256 of the facts, whatever their order: the model id of salts and fingerprints. The name is for people and not in it. */
function modelIdOf({ facts }: Pick<KvIdentity, 'facts'>): string {
  const sorted = Object.keys(facts)
    .sort()
    .map((key) => [key, facts[key]])
  return createHash('sha256').update(JSON.stringify(sorted)).digest('hex')
}

/** The model of a driver as a manager wants it. */
export function modelOf<Slot>({ geometry, identity }: KvEngineDriver<Slot>): ModelInput {
  const { numLayers, outerDim, pageSize, innerDim, dtype, innerOrder } = geometry
  return { modelId: modelIdOf(identity), numLayers, outerDim, pageSize, innerDim, dtype, innerOrder }
}

import { resolve } from 'node:path'
import type { AddonCandidate } from './addon-candidate.js'
import { platformPackage } from './platform-package.js'

/** Places in the order in which they are tried: chosen by the user, built here, installed. */
export function addonCandidates(environment: NodeJS.ProcessEnv, require: NodeJS.Require): AddonCandidate[] {
  const built = { where: 'native/build/Release/kvbm.node', load: () => require('../build/Release/kvbm.node') }
  const usual = [built, platformPackage(require)]
  const path = environment.KVBM_NATIVE_PATH
  return path ? [{ where: path, load: () => require(resolve(path)) }, ...usual] : usual
}

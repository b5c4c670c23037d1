import { familySync, MUSL } from 'detect-libc'
import type { AddonCandidate } from './addon-candidate.js'

/** The package that carries the binary of this platform. Its name is spelled out, so that bundlers can follow it. */
export function platformPackage(require: NodeJS.Require, platform = platformName()): AddonCandidate {
  const where = `@kvbm/native-${platform}`
  switch (platform) {
    case 'linux-x64':
      return { where, load: () => require('@kvbm/native-linux-x64/kvbm.node') }
    default:
      return {
        where,
        load() {
          throw new Error('there is no package for this platform yet')
        },
      }
  }
}

function platformName(): string {
  const musl = process.platform === 'linux' && familySync() === MUSL
  return `${process.platform}-${process.arch}${musl ? '-musl' : ''}`
}

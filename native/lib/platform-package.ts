import { familySync, MUSL } from 'detect-libc'

/** The package that carries the binary of this platform. Literal names, so that bundlers can follow. */
export function platformPackage(require: NodeJS.Require): { where: string; load: () => unknown } {
  const musl = process.platform === 'linux' && familySync() === MUSL
  const name = `${process.platform}-${process.arch}${musl ? '-musl' : ''}`
  switch (name) {
    case 'linux-x64':
      return { where: '@kvbm/native-linux-x64', load: () => require('@kvbm/native-linux-x64/kvbm.node') }
    default:
      return {
        where: `@kvbm/native-${name}`,
        load: () => {
          throw new Error(`there is no package for ${name} yet; build from source`)
        },
      }
  }
}

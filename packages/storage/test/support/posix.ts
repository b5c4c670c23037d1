import { test } from 'vitest'

export const isPosix = process.platform !== 'win32'

/** A test about owners, modes or symbolic links. */
export const posixTest: typeof test | ((name: string, run: () => Promise<void>) => void) = isPosix
  ? test
  : (name: string) => test.skip(`${name} (Windows has no owners and modes in this form)`)

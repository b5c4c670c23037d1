import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'

const require = createRequire(import.meta.url)

/** Which @kvbm/native is built, and with what environment. */
export interface BuildOptions {
  readonly directory?: string
  readonly environment?: NodeJS.ProcessEnv
  /** Where it says what it does and lacks: an open file. Default: standard error. */
  readonly output?: number
}

/** Runs the build that @kvbm/native brings along. Throws when it did not succeed. */
export async function buildNativeCore({
  directory = dirname(require.resolve('@kvbm/native/package.json')),
  environment = process.env,
  output = process.stderr.fd,
}: BuildOptions = {}): Promise<void> {
  const { KVBM_SKIP_NATIVE_BUILD: _, ...env } = environment
  const script = join(directory, 'scripts', 'build.mjs')
  const child = spawn(process.execPath, [script, cmakeJs()], {
    env: { ...env, KVBM_NATIVE: 'required' },
    stdio: ['ignore', output, output],
  })
  const [status, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null]
  if (status !== 0) throw new Error(`The native core was not built${signal === null ? '' : ` (${signal})`}: see above.`)
}

function cmakeJs(): string {
  return join(dirname(require.resolve('cmake-js/package.json')), 'bin', 'cmake-js')
}

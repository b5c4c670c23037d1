import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { build } from 'tsup'

const REQUIRE =
  "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);"
const BUILT = fileURLToPath(new URL('../../build/Release/kvbm.node', import.meta.url))
/** What the tests of this process load, too. */
const ADDON = process.env.KVBM_NATIVE_PATH || BUILT

/** Node 20 cannot run TypeScript: bundles scenes.ts, with everything it imports, into `directory`. */
export async function bundleScenes(directory: string): Promise<string> {
  await build({
    entry: { scenes: fileURLToPath(new URL('./scenes.ts', import.meta.url)) },
    outDir: directory,
    outExtension: () => ({ js: '.mjs' }),
    format: ['esm'],
    target: 'node20',
    dts: false,
    config: false,
    silent: true,
    noExternal: [/.*/],
    esbuildOptions: (options) => {
      options.conditions = ['@kvbm/source']
      options.banner = { js: REQUIRE }
    },
  })
  return `${directory}/scenes.mjs`
}

/** A process that plays one scene with one binding, and the lines that it says. */
export class Program {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>
  readonly #lines: AsyncIterator<string>
  readonly #ended: Promise<unknown>

  constructor(file: string, scene: string, binding: 'portable' | 'native', ...more: readonly string[]) {
    const native =
      binding === 'native' ? { KVBM_NATIVE: 'required', KVBM_NATIVE_PATH: ADDON } : { KVBM_NATIVE: 'portable' }
    this.#child = spawn(process.execPath, ['--expose-gc', file, scene, ...more], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, KVBM_NATIVE_PATH: '', ...native },
    })
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
    this.#ended = once(this.#child, 'exit')
  }

  /** Its next line; undefined when it ended. */
  async line(): Promise<string | undefined> {
    const { value, done } = await this.#lines.next()
    return done ? undefined : value
  }

  /** All it says until it ends by itself, and how it ended: a code or a signal. */
  async end(): Promise<{ lines: string[]; end: number | NodeJS.Signals | null }> {
    const lines: string[] = []
    for (let line = await this.line(); line !== undefined; line = await this.line()) lines.push(line)
    await this.#ended
    return { lines, end: this.#child.exitCode ?? this.#child.signalCode }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
  }
}

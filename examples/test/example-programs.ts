import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { build } from 'tsup'

const HERE = fileURLToPath(new URL('..', import.meta.url))
const ADDON = fileURLToPath(new URL('../../native/build/Release/kvbm.node', import.meta.url))
const DEADLINE_MS = 80_000

/** Names of the programs: every file that lies beside the README. */
export const EXAMPLES = readdirSync(HERE).filter((name) => name.endsWith('.js'))

/** The examples as programs, bundled from the sources of all packages, and a directory for what they keep. */
export class ExamplePrograms implements AsyncDisposable {
  readonly #programs: string
  readonly #directory: string

  private constructor(programs: string, directory: string) {
    this.#programs = programs
    this.#directory = directory
  }

  static async bundle(): Promise<ExamplePrograms> {
    // Below the package, so that they find what it has installed.
    const programs = join(HERE, 'build', randomUUID())
    await build({
      entry: EXAMPLES.map((name) => join(HERE, name)),
      outDir: programs,
      outExtension: () => ({ js: '.mjs' }),
      format: ['esm'],
      target: 'node20',
      dts: false,
      config: false,
      silent: true,
      external: ['node-llama-cpp', 'openai'],
      noExternal: [/^(?!(node-llama-cpp|openai)$)/],
      esbuildOptions: (options) => {
        options.conditions = ['@kvbm/source']
        options.banner = { js: REQUIRE }
      },
    })
    return new ExamplePrograms(programs, await mkdtemp(join(tmpdir(), 'kvbm-examples-')))
  }

  /** A path for what a program keeps. */
  path(name: string): string {
    return join(this.#directory, name)
  }

  /** The lines that an example prints. Rejects with what it said when it ends badly. */
  async run(name: string, ...args: string[]): Promise<string[]> {
    const native = existsSync(ADDON) && !process.env.KVBM_NATIVE_PATH ? { KVBM_NATIVE_PATH: ADDON } : {}
    const env = { ...process.env, ...native, KVBM_MODELS_DIR: this.path('models') }
    const program = join(this.#programs, name.replace(/\.js$/, '.mjs'))
    const options = { cwd: this.#directory, env, timeout: DEADLINE_MS }
    const { stdout } = await promisify(execFile)(process.execPath, [program, ...args], options)
    return stdout.trimEnd().split('\n')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const path of [this.#programs, this.#directory]) await rm(path, { recursive: true, force: true })
  }
}

/** For CommonJS in the bundle. Under another name: bundled modules import `createRequire`, too. */
const REQUIRE =
  "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);"

import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'tsup'

/** How a run of the command ended, and what it said. */
export interface Outcome {
  readonly code: number
  readonly out: string
  readonly err: string
}

const SOURCE = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const REQUIRE =
  "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);"
/** What the tests of this process load, too: beside the bundle there is none. */
const ADDON =
  process.env.KVBM_NATIVE_PATH || fileURLToPath(new URL('../../../../native/build/Release/kvbm.node', import.meta.url))

/** The command, made of the sources of all packages, to be run as a process of its own. */
export class Kvbm {
  readonly #directory = mkdtempSync(join(tmpdir(), 'kvbm-cli-'))
  #program: Promise<void> | undefined

  /** Runs `kvbm ...args`. Never rejects for what it complains about. */
  async run(args: readonly string[], { input = '', cwd = this.#directory } = {}): Promise<Outcome> {
    this.#program ??= this.#bundle()
    await this.#program
    return new Promise((resolve) => {
      const env = { ...process.env, KVBM_NATIVE_PATH: ADDON }
      const program = join(this.#directory, 'program', 'main.mjs')
      const child = execFile(process.execPath, [program, ...args], { env, cwd }, (error, out, err) =>
        resolve({ code: error === null ? 0 : Number(error.code), out, err }),
      )
      child.stdin?.end(input)
    })
  }

  /** The same with `--json`, which must succeed. */
  async json<T>(...args: string[]): Promise<T> {
    const { code, out, err } = await this.run([...args, '--json'])
    if (code !== 0) throw new Error(`kvbm ${args.join(' ')} ended with ${code}:\n${out}${err}`)
    return JSON.parse(out) as T
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true, force: true })
  }

  async #bundle(): Promise<void> {
    await build({
      entry: { main: SOURCE },
      outDir: join(this.#directory, 'program'),
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
  }
}

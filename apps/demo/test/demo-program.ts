import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { on, once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { build } from 'tsup'
import { WorkDirectory } from '../src/work-directory.js'

/** Where the page lies beside it and the engine is found, as with `dist/`. */
const BUILD = fileURLToPath(new URL('../build/', import.meta.url))
const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url))
const ADDON = fileURLToPath(new URL('../../../native/build/Release/kvbm.node', import.meta.url))
/** For CommonJS in the bundle. Under another name: bundled modules import `createRequire`, too. */
const REQUIRE =
  "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);"

/** What a run of the demo left behind. */
export interface Ended {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** The demo as a program, bundled from its sources, and a directory for its files. */
export class DemoProgram implements AsyncDisposable {
  readonly #directory: WorkDirectory
  readonly #program: string

  private constructor(directory: WorkDirectory, program: string) {
    this.#directory = directory
    this.#program = program
  }

  static async bundle(): Promise<DemoProgram> {
    const directory = await WorkDirectory.open()
    const name = basename(directory.path)
    await build({
      entry: { [name]: MAIN },
      outDir: BUILD,
      clean: false,
      outExtension: () => ({ js: '.mjs' }),
      format: ['esm'],
      target: 'node20',
      dts: false,
      config: false,
      silent: true,
      splitting: false,
      // The engine finds its binaries beside its own files.
      external: ['node-llama-cpp'],
      noExternal: [/^(?!node-llama-cpp$)/],
      esbuildOptions: (options) => {
        options.conditions = ['@kvbm/source']
        options.banner = { js: REQUIRE }
      },
    })
    return new DemoProgram(directory, join(BUILD, `${name}.mjs`))
  }

  /** A path in its directory. */
  path(name: string): string {
    return join(this.#directory.path, name)
  }

  /** What it wrote into a file as JSON. */
  readJson<T>(name: string): T {
    return JSON.parse(readFileSync(this.path(name), 'utf8')) as T
  }

  async run(...args: string[]): Promise<Ended> {
    return endOf(this.start(...args))
  }

  /** Temporary directories of the program lie in `path('')`, where a test can look for them. */
  start(...args: string[]): ChildProcessByStdio<null, Readable, Readable> {
    const native = existsSync(ADDON) && !process.env.KVBM_NATIVE_PATH ? { KVBM_NATIVE_PATH: ADDON } : {}
    return spawn(process.execPath, [this.#program, ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...native, TMPDIR: this.path(''), NO_COLOR: '1' },
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#program)
    await this.#directory[Symbol.asyncDispose]()
  }
}

/** Waits for the end of a process that was started, and gives all that it said. */
export async function endOf(child: ChildProcessByStdio<null, Readable, Readable>): Promise<Ended> {
  let [stdout, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const [code] = (await once(child, 'close')) as [number | null]
  return { code, stdout, stderr }
}

/** Waits until a process says something that fits, and gives the match. */
export async function untilSaid(
  child: ChildProcessByStdio<null, Readable, Readable>,
  what: RegExp,
): Promise<RegExpExecArray> {
  let said = ''
  for await (const [text] of on(child.stdout, 'data')) {
    said += text
    const match = what.exec(said)
    if (match !== null) return match
  }
  throw new Error(`It never said ${what}: ${said}`)
}

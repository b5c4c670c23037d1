import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { build } from 'tsup'

/** Node 20 cannot run TypeScript: bundles a program, with everything it imports, into `directory`. */
export async function bundleProgram(source: URL, directory: string): Promise<string> {
  await build({
    entry: { program: fileURLToPath(source) },
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
  return `${directory}/program.mjs`
}

const REQUIRE =
  "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);"
/** What the tests of this process load, too: beside the bundle there is none. */
const ADDON =
  process.env.KVBM_NATIVE_PATH || fileURLToPath(new URL('../../../../native/build/Release/kvbm.node', import.meta.url))

export interface ProgramOptions {
  /** Most kilobytes of memory that it may lock. Default: as here. */
  readonly lockableKilobytes?: number
}

/** A process of its own, and the lines that it has said. */
export class Program {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>
  readonly #lines: AsyncIterator<string>
  readonly #ended: Promise<unknown>
  #complaints = ''

  constructor(file: string, task: object, { lockableKilobytes }: ProgramOptions = {}) {
    const node = [process.execPath, file, JSON.stringify(task)]
    const limited = ['sh', '-c', `ulimit -l ${lockableKilobytes} && exec "$0" "$@"`, ...node]
    const [command, ...args] = lockableKilobytes === undefined ? node : limited
    this.#child = spawn(command!, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, KVBM_NATIVE_PATH: ADDON },
    })
    this.#ended = once(this.#child, 'close')
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#complaints += text
    })
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** Its next line; throws with what it complained about when it ended instead. */
  async line(): Promise<string> {
    const { value, done } = await this.#lines.next()
    if (!done) return value
    await this.#ended
    throw new Error(`the process ended with ${this.#child.exitCode ?? this.#child.signalCode}:\n${this.#complaints}`)
  }

  /** Leaves it alone, as the system does with the children of a process that was killed. Gives its exit code. */
  async leave(): Promise<number | null> {
    this.#child.stdin.end()
    await this.#ended
    return this.#child.exitCode
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
  }
}

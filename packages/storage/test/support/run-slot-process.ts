import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { build } from 'tsup'

/** Node 20 cannot run TypeScript: bundles the program, with everything it imports, into `directory`. */
export async function bundleSlotProcess(directory: string): Promise<string> {
  await build({
    entry: { 'slot-process': fileURLToPath(new URL('./slot-process.ts', import.meta.url)) },
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
  return `${directory}/slot-process.mjs`
}

const REQUIRE =
  "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);"

/** A process of its own, and the lines that it has said. */
export class SlotProcess {
  readonly #child: ChildProcessByStdio<null, Readable, null>
  readonly #lines: AsyncIterator<string>

  constructor(program: string, task: object) {
    this.#child = spawn(process.execPath, [program, JSON.stringify(task)], { stdio: ['ignore', 'pipe', 'inherit'] })
    this.#lines = createInterface({ input: this.#child.stdout })[Symbol.asyncIterator]()
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** Its next line; throws when it ended instead. */
  async line(): Promise<string> {
    const { value, done } = await this.#lines.next()
    if (done) throw new Error(`the process ended with ${this.#child.exitCode ?? this.#child.signalCode}`)
    return value
  }

  async kill(): Promise<void> {
    const ended =
      this.#child.exitCode === null && this.#child.signalCode === null ? once(this.#child, 'exit') : undefined
    this.#child.kill('SIGKILL')
    await ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
  }
}

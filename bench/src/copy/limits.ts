import { type ChildProcessWithoutNullStreams, execFile, spawn } from 'node:child_process'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { promisify } from 'node:util'
import type { Amount } from '../harness.js'

/** What `kvbm_limits` can do, see `native/bench/`. */
export const LIMIT_WAYS = ['memcpy', 'non-temporal', 'split', 'interleaved', 'ahead'] as const

export type LimitWay = (typeof LIMIT_WAYS)[number]

export interface LimitQuestion {
  readonly way: LimitWay
  readonly blockBytes: number
  readonly blocks: number
  readonly threads: number
  readonly pages: 'huge' | 'small'
}

/** The program that copies as fast as this machine can, in C++ and on threads of its own; it answers a question at a time. */
export class Limits {
  readonly #program: ChildProcessWithoutNullStreams
  readonly #answers: AsyncIterator<string>
  readonly #lines: Interface

  private constructor(path: string) {
    this.#program = spawn(path)
    this.#lines = createInterface({ input: this.#program.stdout })
    this.#answers = this.#lines[Symbol.asyncIterator]()
  }

  /** Builds the program where it is not up to date. Rejects where there is no compiler or no CMake. */
  static async start(): Promise<Limits> {
    const native = dirname(createRequire(import.meta.url).resolve('@kvbm/native/package.json'))
    await promisify(execFile)('cmake', ['--preset', 'limits'], { cwd: native })
    await promisify(execFile)('cmake', ['--build', '--preset', 'limits'], { cwd: native })
    return new Limits(join(native, 'build', 'limits', 'bench', 'kvbm_limits'))
  }

  /** Copies all blocks once. Rejects for a way that this CPU cannot do. */
  async copy({ way, blockBytes, blocks, threads, pages }: LimitQuestion): Promise<Amount> {
    this.#program.stdin.write(`${way} ${blockBytes} ${blocks} ${threads} ${pages}\n`)
    const { value, done } = await this.#answers.next()
    const rate = Number(value)
    if (done === true || !(rate > 0)) throw new Error(`kvbm_limits: ${value ?? 'it ended'}`)
    const amount = blockBytes * blocks
    return { amount, ms: (amount / rate) * 1000 }
  }

  close(): void {
    this.#program.stdin.end()
    this.#lines.close()
  }
}

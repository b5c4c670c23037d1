import { execFile } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { promisify } from 'node:util'
import type { Amount } from '../harness.js'
import type { DiskWork } from './disk-work.js'

/** What `fio` keeps in flight and how. */
export interface FioEngine {
  readonly ioengine: 'libaio' | 'io_uring' | 'psync'
  readonly depth: number
  readonly jobs: number
}

const DEPTHS = [4, 8, 16, 32]
const ENGINES = ['libaio', 'io_uring'] as const
/** Eight threads, each with one `pread` or `pwrite` at a time. */
export const EIGHT_THREADS: FioEngine = { ioengine: 'psync', depth: 1, jobs: 8 }

/** glibc asks for transparent huge pages for what `fio` allocates: the same kind of pages that tier memory has. */
const HUGE_PAGES = 'glibc.malloc.hugetlb=1'

/** The part of `fio`'s JSON that is read. Times in ms, shares of one CPU in %. */
export interface FioReport {
  readonly jobs: readonly {
    readonly usr_cpu: number
    readonly sys_cpu: number
    readonly job_runtime: number
    readonly read: FioSide
    readonly write: FioSide
  }[]
}

interface FioSide {
  readonly io_bytes: number
  readonly runtime: number
}

/** `fio` on a file of its own, doing what one round of a subject does. */
export class Fio {
  readonly #path: string
  readonly #work: DiskWork

  constructor(path: string, work: DiskWork) {
    this.#path = path
    this.#work = work
  }

  /** Why it cannot be used here; undefined when it can. */
  static async whyNot(): Promise<string | undefined> {
    try {
      await promisify(execFile)('fio', ['--version'])
      return undefined
    } catch (error) {
      return `fio is not here (${(error as NodeJS.ErrnoException).code ?? String(error)}): install it to compare with it.`
    }
  }

  /** Writes the whole file once, where the work is on a file that has been written. */
  async prepare(): Promise<void> {
    if (this.#work.access === 'first-write') return
    await this.#start(['--rw=write', '--bs=1m', '--ioengine=libaio', '--iodepth=8'])
  }

  /** The fastest of both asynchronous engines over some depths, each tried for one round. */
  async best(depths: readonly number[] = DEPTHS): Promise<FioEngine> {
    let best: { engine: FioEngine; rate: number } | undefined
    for (const ioengine of ENGINES) {
      for (const depth of depths) {
        const engine = { ioengine, depth, jobs: 1 }
        const rate = await this.run(engine).then(rateOf, () => 0)
        if (best === undefined || rate > best.rate) best = { engine, rate }
      }
    }
    if (best === undefined || best.rate === 0) throw new Error('fio: neither libaio nor io_uring ran here.')
    return best.engine
  }

  async run({ ioengine, depth, jobs }: FioEngine): Promise<Amount> {
    const { access, blockBytes, roundBytes } = this.#work
    if (access === 'first-write') await rm(this.#path, { force: true })
    const report = await this.#start([
      `--rw=${access === 'read' ? 'randread' : 'randwrite'}`,
      `--overwrite=${access === 'overwrite' ? 1 : 0}`,
      `--io_size=${Math.floor(roundBytes / jobs)}`,
      `--bs=${blockBytes}`,
      `--ioengine=${ioengine}`,
      `--iodepth=${depth}`,
      `--numjobs=${jobs}`,
    ])
    return amountOf(report)
  }

  async #start(extra: readonly string[]): Promise<FioReport> {
    const size = this.#work.access === 'first-write' ? this.#work.roundBytes : this.#work.fileBytes
    const common = ['--name=kvbm', `--filename=${this.#path}`, `--size=${size}`, '--direct=1', '--fallocate=native']
    const order = ['--randrepeat=0', '--group_reporting', '--output-format=json', '--iomem_align=2m']
    const env = { ...process.env, GLIBC_TUNABLES: HUGE_PAGES }
    const { stdout } = await promisify(execFile)('fio', [...common, ...order, ...extra], { env })
    return JSON.parse(stdout.slice(stdout.indexOf('{'))) as FioReport
  }
}

/** What a run did, by its own clock. */
export function amountOf({ jobs }: FioReport): Amount {
  const [all] = jobs
  const side = all!.read.io_bytes > 0 ? all!.read : all!.write
  return {
    amount: side.io_bytes,
    ms: side.runtime,
    cpuMs: ((all!.usr_cpu + all!.sys_cpu) / 100) * all!.job_runtime,
  }
}

function rateOf({ amount, ms }: Amount): number {
  return amount / ms!
}

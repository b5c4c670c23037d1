import { ON_THREADS } from '@kvbm/native'
import { createTransferRuntime, type NativeTransferRuntime, SystemAllocator } from '@kvbm/storage'
import { type Figure, figure, type Goal, type Report } from './figures.js'

const COPY_BYTES = 64 * 1024
const SMALL_BYTES = 4 * 1024
const BATCH = 100
const SAMPLES = 2000
const IDLE_SAMPLES = 300
const IDLE_MS = 1

/** From `submit` to the caller going on, in microseconds, and what many small jobs cost beyond their bytes. */
export async function latency({ rounds }: { readonly rounds: number }): Promise<Report[]> {
  const runtime = createTransferRuntime()
  const memory = await new SystemAllocator({ runtime }).allocate({ sizeBytes: 2 * BATCH * COPY_BYTES })
  const engine = runtime.binding.createEngine({ threads: runtime.threads })
  try {
    const runs = Float64Array.of(memory.regionId, 0, memory.regionId, BATCH * COPY_BYTES, COPY_BYTES)
    const ways: Way[] = [
      { name: 'within the call', submit: () => runtime.submit({ runs }), goals: [15, 60] },
      { name: 'on a thread', submit: () => runtime.binding.submit(engine, 1, { runs }, ON_THREADS) },
    ]
    const figures: Figure[] = []
    for (const way of ways) figures.push(...(await figuresOf(way, rounds)))
    figures.push(await smallJobs(runtime, memory.regionId, memory.bytes(0, memory.sizeBytes)!, rounds))
    return [report(runtime, figures)]
  } finally {
    await runtime.binding.closeEngine(engine)
    await memory.close()
    await runtime.close()
  }
}

interface Way {
  readonly name: string
  readonly submit: () => Promise<void>
  /** Of the median and of the 99th percentile, in microseconds. */
  readonly goals?: readonly [number, number]
}

/** Median and 99th percentile of each round. */
async function figuresOf({ name, submit, goals }: Way, rounds: number): Promise<Figure[]> {
  const at = (part: number, times: readonly number[]): number => times[Math.floor(part * (times.length - 1))]!
  const figures: Figure[] = []
  for (const [idle, samples] of [
    [false, SAMPLES],
    [true, IDLE_SAMPLES],
  ] as const) {
    const took: number[][] = []
    for (let round = -1; round < rounds; round++) {
      const times = await timesOf(submit, samples, idle)
      if (round >= 0) took.push(times.sort((a, b) => a - b))
    }
    const how = `${name}, ${idle ? `after ${IDLE_MS} ms idle` : 'one after another'}`
    const goal = (atMost: number | undefined): Goal | undefined => (atMost === undefined ? undefined : { atMost })
    figures.push(
      figure(
        `${how}: median`,
        'µs',
        took.map((times) => at(0.5, times)),
        goal(goals?.[0]),
      ),
      figure(
        `${how}: p99`,
        'µs',
        took.map((times) => at(0.99, times)),
        goal(goals?.[1]),
      ),
    )
  }
  return figures
}

async function timesOf(submit: () => Promise<void>, samples: number, idle: boolean): Promise<number[]> {
  const times: number[] = []
  for (let sample = 0; sample < samples; sample++) {
    if (idle) await new Promise((resolve) => setTimeout(resolve, IDLE_MS))
    // One turn of the event loop each, as for callers who come one at a time.
    else await new Promise(setImmediate)
    const begun = performance.now()
    await submit()
    times.push(1000 * (performance.now() - begun))
  }
  return times
}

/** A batch of small jobs, less what copying the same bytes takes. */
async function smallJobs(
  runtime: NativeTransferRuntime,
  region: number,
  bytes: Uint8Array,
  rounds: number,
): Promise<Figure> {
  const offsets = Array.from({ length: BATCH }, (_, index) => index * COPY_BYTES)
  const target = BATCH * COPY_BYTES
  const jobs = offsets.map((from) => ({ runs: Float64Array.of(region, from, region, target + from, SMALL_BYTES) }))
  const copies = offsets.map((from) => ({ from: bytes.subarray(from, from + SMALL_BYTES), at: target + from }))
  const beyond: number[] = []
  for (let round = -20; round < 20 * rounds; round++) {
    await new Promise(setImmediate)
    const begun = performance.now()
    await Promise.all(jobs.map((job) => runtime.submit(job)))
    const between = performance.now()
    for (const { from, at } of copies) bytes.set(from, at)
    const plain = performance.now() - between
    if (round >= 0) beyond.push((1000 * (between - begun - plain)) / BATCH)
  }
  return figure(`one of ${BATCH} jobs of ${SMALL_BYTES / 1024} KiB, beyond its bytes`, 'µs', beyond, { atMost: 2 })
}

function report({ threads, diskThreads }: NativeTransferRuntime, figures: readonly Figure[]): Report {
  return {
    name: 'latency',
    work: `one copy of ${COPY_BYTES / 1024} KiB in memory, from submit to the caller going on`,
    setup: { threads, diskThreads },
    figures,
    notes: ['Threads sleep when idle: nothing spins.'],
  }
}

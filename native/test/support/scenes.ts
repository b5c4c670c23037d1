import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { type Binding, loadBinding } from '../../lib/index.js'

const BYTES = 32 * 2 ** 20
const WORKERS = 8

/** What a child process plays; see process.test.ts for what must come of it. */
const SCENES: Readonly<Record<string, (binding: Binding, argument: string) => Promise<void>>> = {
  /** Leaves everything open: memory, a window, a file, an engine with threads. */
  async idle(binding, path) {
    const { engine, source, target } = equip(binding)
    const { id } = await binding.openFile({ path, write: true, create: true, direct: false })
    await binding.submit(engine, 1, { runs: Float64Array.of(source, 0, target, 0, BYTES) })
    await binding.submit(engine, 2, { runs: Float64Array.of(source, 0, id, 0, 4096) })
    console.log(binding.windowOf(target, 0).byteLength)
  },

  /** Nothing but the job keeps the process alive. */
  async busy(binding) {
    const { engine, source, target } = equip(binding)
    void binding
      .submit(engine, 1, { runs: Float64Array.of(source, 0, target, 0, BYTES) })
      .then(() => console.log('copied'))
  },

  async exit(binding) {
    const { engine, source, target } = equip(binding)
    for (let ticket = 0; ticket < 10; ticket++) {
      void binding.submit(engine, ticket, { runs: Float64Array.of(source, 0, target, 0, BYTES) })
    }
    console.log('leaving')
    process.exit(7)
  },

  async close(binding) {
    const { engine, source, target } = equip(binding)
    const jobs = Array.from({ length: 10 }, (_, ticket) =>
      binding.submit(engine, ticket, { runs: Float64Array.of(source, 0, target, 0, BYTES) }),
    )
    binding.closeRegion(source)
    binding.closeRegion(target)
    await binding.closeEngine(engine)
    console.log((await Promise.allSettled(jobs)).filter(({ status }) => status === 'fulfilled').length)
  },

  /** Threads of JavaScript that are ended in the middle of their work, while this one works on. */
  async workers(binding) {
    for (let round = 0; round < WORKERS; round++) {
      const worker = new Worker(new URL(import.meta.url), { argv: ['work-forever'] })
      await once(worker, 'message')
      await worker.terminate()
    }
    const { engine, source, target } = equip(binding)
    await binding.submit(engine, 1, { runs: Float64Array.of(source, 0, target, 0, BYTES) })
    console.log(new Uint8Array(binding.windowOf(target, 0))[BYTES - 1])
  },

  async 'work-forever'(binding) {
    const { parentPort } = await import('node:worker_threads')
    const { engine, source, target } = equip(binding)
    for (let ticket = 1; ; ticket++) {
      const jobs = [0, 1, 2, 3].map(() =>
        binding.submit(engine, ticket, { runs: Float64Array.of(source, 0, target, 0, BYTES) }),
      )
      if (ticket === 2) parentPort!.postMessage('busy')
      await Promise.all(jobs)
    }
  },

  async lock(binding, path) {
    const lock = await binding.lockFile(path)
    console.log(lock === undefined ? 'refused' : 'held')
    if (lock !== undefined) await once(process.stdin.resume(), 'end')
  },

  /** Adopted memory lives as long as its region, and no longer. */
  async garbage(binding) {
    const { engine, target } = equip(binding)
    let bytes: Uint8Array | undefined = new Uint8Array(BYTES).fill(9)
    const [weak, { id }] = [new WeakRef(bytes.buffer), binding.adoptMemory(bytes)]
    bytes = undefined
    await collectGarbage()
    await binding.submit(engine, 1, { runs: Float64Array.of(id, 0, target, 0, BYTES) })
    console.log(new Uint8Array(binding.windowOf(target, 0))[BYTES - 1])
    binding.closeRegion(id)
    await collectGarbage()
    console.log(weak.deref() === undefined ? 'collected' : 'kept')
  },

  /** Twice as much memory as may be in use at a time. */
  async recycle(binding) {
    for (let round = 0; round < 64; round++) {
      const { id } = binding.createMemory(BYTES)
      await binding.commitMemory(id, 0, BYTES, false)
      new Uint8Array(binding.windowOf(id, 0)).fill(1, 0, 4096)
      binding.closeRegion(id)
      if (round % 8 === 7) await collectGarbage()
    }
    const mostKiB = process.resourceUsage().maxRSS
    console.log(mostKiB < 2 ** 20 ? 'given back' : `kept ${mostKiB} KiB`)
  },
}

function equip(binding: Binding): { engine: number; source: number; target: number } {
  const [source, target] = [binding.createMemory(BYTES).id, binding.createMemory(BYTES).id]
  new Uint8Array(binding.windowOf(source, 0)).fill(5)
  return { engine: binding.createEngine({ threads: 2 }), source, target }
}

async function collectGarbage(): Promise<void> {
  for (let round = 0; round < 3; round++) {
    await new Promise(setImmediate)
    globalThis.gc?.()
  }
}

const [, , scene = '', argument = ''] = process.argv
void SCENES[scene]!(loadBinding(), argument)

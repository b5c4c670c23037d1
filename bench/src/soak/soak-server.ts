import { type LlamaServedModel, openKvCache, serveModel } from '@kvbm/node-llama-cpp'
import { createKvServer } from '@kvbm/server'
import { wrapDrivers } from '../engine/wrap-drivers.js'
import { Journal } from './journal.js'
import { TappedDriver } from './tapped-driver.js'

/** What the process that is to be killed is told. */
export interface SoakTask {
  readonly modelPath: string
  readonly dir: string
  readonly journal: string
  /** 0: a free one. */
  readonly port: number
}

/** What it says. */
export type SoakMessage =
  | { readonly type: 'ready'; readonly url: string; readonly port: number }
  | { readonly type: 'memory'; readonly rssBytes: number }
  /** Asked for by any message: captures that waited have run; what is on loan to the engine now, and what was counted. */
  | {
      readonly type: 'settled'
      readonly lent: number
      readonly counters: ReturnType<Awaited<ReturnType<typeof openKvCache>>['status']>['counters']
    }

/** First argument of the program when it is started to serve under load. */
export const SOAK_SERVER = '--soak-server'

/** Small enough that blocks leave memory, and come back from disk, all the time. */
const TIERS = { host: '8MiB', disk: '64MiB', modelsMax: 1 } as const
const MEMORY_EVERY_MS = 1000

/** Serves until SIGTERM. */
export async function playSoakServer(task: SoakTask): Promise<void> {
  const stop = stopAsked()
  const journal = new Journal(task.journal)
  await using kv = await openKvCache({ dir: task.dir, ...TIERS })
  wrapDrivers(kv, (driver) => new TappedDriver(driver, journal))
  const model = await serveModel({ modelPath: task.modelPath, kv, threads: 1, contextTokens: 1024, gpu: false })
  try {
    await using server = await createKvServer({ models: [model] })
    const { url, port } = await server.listen({ port: task.port })
    const settle = () => void settled(model, kv)
    process.on('message', settle)
    const timer = setInterval(() => tell({ type: 'memory', rssBytes: process.memoryUsage.rss() }), MEMORY_EVERY_MS)
    tell({ type: 'ready', url, port })
    await stop
    clearInterval(timer)
  } finally {
    await model.close()
    process.disconnect?.()
  }
}

async function settled(model: LlamaServedModel, kv: Awaited<ReturnType<typeof openKvCache>>): Promise<void> {
  await model.settled()
  const { handOver, counters } = kv.status()
  tell({ type: 'settled', lent: handOver.lent, counters })
}

function stopAsked(): Promise<void> {
  process.on('SIGINT', () => {})
  return new Promise((resolve) => {
    process.once('SIGTERM', () => resolve())
    process.once('disconnect', () => resolve())
  })
}

function tell(message: SoakMessage): void {
  process.send?.(message)
}

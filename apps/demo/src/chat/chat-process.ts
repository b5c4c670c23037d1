import { openKvCache } from '@kvbm/connector'
import { serveModel } from '@kvbm/node-llama-cpp'
import { createKvServer } from '@kvbm/server'
import { Registry } from 'prom-client'
import { demoRoutes } from './demo-routes.js'

/** What the process that serves the model is told. */
export interface ChatTask {
  readonly modelPath: string
  /** What people must know of its texts; empty for a real model. */
  readonly notice: string
  readonly dir: string
  readonly port: number
  /** Undefined: physical cores. */
  readonly threads: number | undefined
  readonly controlToken: string
}

/** What it says: where it serves, or that it wants to be killed. */
export type ChatProcessMessage =
  | { readonly type: 'ready'; readonly url: string; readonly port: number }
  | { readonly type: 'kill-me' }

/** First argument of the program when it is started to serve. */
export const CHAT_PROCESS = '--serve'

const CONTEXT_TOKENS = 4096
const SEQUENCES = 2

/** Serves until the parent says SIGTERM or is gone, then lets running answers end. */
export async function serveChat(task: ChatTask): Promise<number> {
  const stop = stopAsked()
  const metricsRegistry = new Registry()
  await using kv = await openKvCache({ dir: task.dir, host: '512MiB', disk: '2GiB', modelsMax: 1, metricsRegistry })
  const { modelPath, notice, threads } = task
  const model = await serveModel({ modelPath, notice, kv, threads, contextTokens: CONTEXT_TOKENS, slots: SEQUENCES })
  try {
    await using server = await createKvServer({ models: [model], controlToken: task.controlToken, metricsRegistry })
    const app = demoRoutes({ server, model, kv, die: () => tell({ type: 'kill-me' }) })
    const { url, port } = await server.listen({ port: task.port, fetch: (request) => app.fetch(request) })
    tell({ type: 'ready', url, port })
    await stop
  } finally {
    await model.close()
    // Or the channel to the parent would keep this process alive.
    process.disconnect?.()
  }
  return 0
}

function stopAsked(): Promise<void> {
  // Ctrl-C on a terminal reaches this process, too. What it means is up to the parent.
  process.on('SIGINT', () => {})
  return new Promise((resolve) => {
    process.once('SIGTERM', () => resolve())
    process.once('disconnect', () => resolve())
  })
}

function tell(message: ChatProcessMessage): void {
  process.send?.(message)
}

import { once } from 'node:events'
import { openKvCache } from '@kvbm/connector'
import { type Logger, silentLogger } from '@kvbm/core'
import { serveModel } from '@kvbm/node-llama-cpp'
import { createKvServer } from '@kvbm/server'
import { Registry } from 'prom-client'
import { demoRoutes } from './demo-routes.js'

/** What the process that serves the model is told: over its channel, since every user may read a command line. */
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

/** What it says: where it serves, why it cannot, or that it wants to be killed. */
export type ChatProcessMessage =
  | { readonly type: 'ready'; readonly url: string; readonly port: number }
  | { readonly type: 'failed'; readonly reason: string }
  | { readonly type: 'kill-me' }

/** First argument of the program when it is started to serve. */
export const CHAT_PROCESS = '--serve'

const CONTEXT_TOKENS = 4096
const SEQUENCES = 2

const complain = (message: string): void => console.error(`  ${message}`)
const COMPLAINTS: Logger = { ...silentLogger, warn: complain, error: complain }

/** Serves what the parent says, until that sends SIGTERM or is gone. Gives the exit code. */
export async function playChatProcess(): Promise<number> {
  const stop = stopAsked()
  try {
    const [task] = await once(process, 'message', { signal: stop })
    await serve(task as ChatTask, stop)
    return 0
  } catch (error) {
    if (stop.aborted) return 0
    await tell({ type: 'failed', reason: error instanceof Error ? error.message : String(error) })
    return 1
  } finally {
    // Or the channel would keep this process alive.
    if (process.connected) process.disconnect()
  }
}

/** Until `stop`; then running answers end first. */
async function serve(
  { modelPath, notice, dir, port, threads, controlToken }: ChatTask,
  stop: AbortSignal,
): Promise<void> {
  const [metricsRegistry, logger] = [new Registry(), COMPLAINTS]
  await using kv = await openKvCache({ dir, host: '512MiB', disk: '2GiB', modelsMax: 1, metricsRegistry, logger })
  const sizes = { threads, contextTokens: CONTEXT_TOKENS, slots: SEQUENCES }
  await using model = await serveModel({ modelPath, notice, kv, ...sizes, signal: stop })
  await using server = await createKvServer({ models: [model], controlToken, metricsRegistry, logger })
  const app = demoRoutes({ server, model, kv, die: () => void tell({ type: 'kill-me' }) })
  const listening = await server.listen({ port, fetch: (request) => app.fetch(request) })
  await tell({ type: 'ready', url: listening.url, port: listening.port })
  if (!stop.aborted) await once(stop, 'abort')
}

function stopAsked(): AbortSignal {
  const controller = new AbortController()
  process.once('SIGTERM', () => controller.abort())
  process.once('disconnect', () => controller.abort())
  return controller.signal
}

function tell(message: ChatProcessMessage): Promise<void> {
  return new Promise((resolve) => process.send?.(message, () => resolve()))
}

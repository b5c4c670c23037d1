import { openKvCache, type ServedModel } from '@kvbm/connector'
import type { Logger, MetricsRegistry } from '@kvbm/core'
import { createKvServer } from '@kvbm/server'
import { defineCommand } from './command.js'
import { findModel } from './find-model.js'
import { loadEngine } from './load-engine.js'
import { readKeys } from './read-key.js'
import { readNumber } from './read-number.js'

const HELP = `Usage: kvbm serve [flags]

Serves a model over OpenAI's routes with the cache underneath. SIGTERM and Ctrl-C let running answers end first.

  --model REF        FILE.gguf, hf:USER/REPOSITORY:QUANT, or random:tiny (default: a small real model, downloaded once)
  --dir DIR          keep blocks in DIR, so that they outlive the process (default: memory only)
  --memory SIZE      memory for blocks (default 1GiB)
  --disk SIZE        disk for blocks, over all models of DIR (default 20GiB)
  --port N           port (default 8080; 0 for a free one)
  --host ADDRESS     where to listen (default 127.0.0.1; any other needs --key-file)
  --key-file FILE    API keys, one in a line; each is a tenant of its own. '-' reads standard input
  --name ID          the model's name in the API (default: the file's)
  --context N        tokens of prompt and answer together (default: what the model was trained on, at most 4096)
  --slots N          requests that decode at the same time (default 4)
  --threads N        threads of the engine (default: physical cores)
  --cpu              no GPU, even where there is one
  --help             this text`

/** `kvbm serve` */
export const serve = defineCommand({
  name: 'serve',
  help: HELP,
  flags: {
    model: { type: 'string' },
    dir: { type: 'string' },
    memory: { type: 'string' },
    disk: { type: 'string' },
    port: { type: 'string', default: '8080' },
    host: { type: 'string' },
    'key-file': { type: 'string' },
    name: { type: 'string' },
    context: { type: 'string' },
    slots: { type: 'string' },
    threads: { type: 'string' },
    cpu: { type: 'boolean', default: false },
  },
  placesMax: 0,
  async run({ flags, usageError }) {
    const number = (flag: 'context' | 'slots' | 'threads') => readNumber(flag, flags[flag], usageError)
    const port = readNumber('port', flags.port, usageError, { least: 0, most: 65_535 })
    const sizes = { contextTokens: number('context'), slots: number('slots'), threads: number('threads') }
    const { dir, memory, disk, name, host, cpu, 'key-file': keyFile } = flags
    const apiKeys = keyFile === undefined ? [] : await readKeys(keyFile)
    const engine = await loadEngine('serve')
    const { path, label, realText } = await findModel(engine, flags.model)
    console.log(label)
    const metricsRegistry = await loadMetrics()
    await using kv = await openKvCache({ dir, host: memory, disk, logger: COMPLAINTS, metricsRegistry })
    const setup = { ...sizes, modelPath: path, kv, id: name, gpu: cpu ? (false as const) : ('auto' as const) }
    const model = await engine.adapter.serveModel({ ...setup, notice: realText ? '' : label })
    try {
      await serveUntilStopped(model, { apiKeys, port, host, metricsRegistry })
    } finally {
      await model.close()
    }
  },
})

interface ServeOptions {
  readonly apiKeys: readonly string[]
  readonly port: number | undefined
  readonly host: string | undefined
  readonly metricsRegistry: MetricsRegistry | undefined
}

async function serveUntilStopped(model: ServedModel, { port, host, ...options }: ServeOptions): Promise<void> {
  const server = await createKvServer({ ...options, models: [model], logger: COMPLAINTS })
  const stopped = stopSignal()
  const { url } = await server.listen({ port, host })
  console.log(`Serving ${model.id} at ${url}/v1`)
  console.log(`Control token, for X-Kvbm-Token: ${server.controlToken}`)
  await stopped
  console.log('Stopping: running answers end first.')
  await server.close()
}

function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) process.once(signal, () => resolve())
  })
}

/** prom-client is an optional peer: without it there are no metrics. */
async function loadMetrics(): Promise<MetricsRegistry | undefined> {
  try {
    const { Registry } = await import('prom-client')
    return new Registry()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ERR_MODULE_NOT_FOUND') throw error
    return undefined
  }
}

const ignore = (): void => {}

/** What goes wrong is said on standard error. */
const COMPLAINTS: Logger = {
  debug: ignore,
  info: ignore,
  warn: (message) => console.error(message),
  error: (message) => console.error(message),
}

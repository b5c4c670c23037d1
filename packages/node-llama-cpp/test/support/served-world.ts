import { createKvServer, type KvServer, type KvServerOptions } from '@kvbm/server'
import {
  type KvCache,
  type KvCacheOptions,
  type LlamaServedModel,
  openKvCache,
  type ServeModelOptions,
  serveModel,
} from '../../src/index.js'
import { engine } from './tiny-engine.js'

/** What a test says about cache, model and server. */
export interface ServedOptions {
  readonly cache?: KvCacheOptions
  readonly model: Pick<ServeModelOptions, 'modelPath'> & Partial<ServeModelOptions>
  readonly server?: Partial<KvServerOptions>
}

/** What came back for a request, and what the cache did for it. */
export interface Reply {
  readonly text: string
  readonly finish: string
  readonly promptTokens: number
  readonly cachedTokens: number
  readonly completionTokens: number
  readonly sources: readonly string[]
  readonly missReason: string
  readonly waitMs: number
}

interface CompletionJson {
  readonly choices: readonly [{ readonly text: string; readonly finish_reason: string }]
  readonly usage: {
    readonly prompt_tokens: number
    readonly completion_tokens: number
    readonly prompt_tokens_details: { readonly cached_tokens: number }
  }
  readonly kv: Pick<Reply, 'missReason' | 'waitMs'> & { readonly spans: ReadonlyArray<{ readonly source: string }> }
}

/** A model behind the real server, listening on loopback; all end with the scope. */
export class ServedWorld implements AsyncDisposable {
  readonly kv: KvCache
  readonly model: LlamaServedModel
  readonly server: KvServer
  readonly url: string

  constructor(kv: KvCache, model: LlamaServedModel, server: KvServer, url: string) {
    this.kv = kv
    this.model = model
    this.server = server
    this.url = url
  }

  static async open({ cache, model: options, server: more }: ServedOptions): Promise<ServedWorld> {
    const kv = await openKvCache({ host: '32MiB', disk: '64MiB', ...cache })
    if (typeof engine === 'string') throw new Error(engine)
    const model = await serveModel({ kv, llama: engine, threads: 1, contextTokens: 1024, slots: 2, ...options })
    const server = await createKvServer({ models: [model], ...more })
    return new ServedWorld(kv, model, server, (await server.listen()).url)
  }

  post(path: string, body: object, init: RequestInit = {}): Promise<Response> {
    const headers = { 'Content-Type': 'application/json', ...(init.headers as Record<string, string>) }
    return fetch(`${this.url}${path}`, { method: 'POST', body: JSON.stringify(body), ...init, headers })
  }

  /** A completion, greedy and short unless the body says otherwise; resolves when its captures ran, too. */
  async ask(body: object, init?: RequestInit): Promise<Reply> {
    const response = await this.post('/v1/completions', { temperature: 0, max_tokens: 12, ...body }, init)
    if (response.status !== 200) throw new Error(await response.text())
    return replyOf((await response.json()) as CompletionJson)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.close({ deadlineMs: 1000 })
    await this.model.close()
    await this.kv.close()
  }
}

function replyOf({ choices: [choice], usage, kv }: CompletionJson): Reply {
  return {
    text: choice.text,
    finish: choice.finish_reason,
    promptTokens: usage.prompt_tokens,
    cachedTokens: usage.prompt_tokens_details.cached_tokens,
    completionTokens: usage.completion_tokens,
    sources: kv.spans.map(({ source }) => source),
    missReason: kv.missReason,
    waitMs: kv.waitMs,
  }
}

/** The `data:` lines of a stream as they come. */
export async function* chunksOf(response: Response): AsyncGenerator<Record<string, unknown>, void, void> {
  let buffered = ''
  for await (const bytes of response.body!) {
    buffered += new TextDecoder().decode(bytes)
    const lines = buffered.split('\n\n')
    buffered = lines.pop()!
    for (const line of lines) if (!line.includes('[DONE]')) yield JSON.parse(line.slice('data: '.length))
  }
}

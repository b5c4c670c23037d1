import type { IncomingMessage, ServerResponse } from 'node:http'
import { getRequestListener } from '@hono/node-server'
import type { PromptReady, ServedModel, ServedStatus } from '@kvbm/connector'
import { type Context, Hono } from 'hono'
import { Access } from './access.js'
import { Admission } from './admission.js'
import { ApiError, toApiError } from './api-error.js'
import { type Body, chatDialect, chatMessages, completionDialect, type Dialect } from './dialect.js'
import { respond } from './generation.js'
import { type Listening, type ListenOptions, listen } from './listen.js'
import { chatTokens, promptTokens, roomAfter } from './prompt-tokens.js'
import { parseJson, readJson } from './read-json.js'
import { type PromptBody, parseBody, promptSchema } from './request-schemas.js'
import { type ServerMetrics, serverMetrics } from './server-metrics.js'
import { type KvServerOptions, resolveOptions } from './server-options.js'

type Options = ReturnType<typeof resolveOptions>

/** OpenAI-compatible routes over models with a KV cache. Made by `createKvServer`. */
export class KvServer {
  readonly #options: Options
  readonly #access: Access
  readonly #admissions: ReadonlyMap<ServedModel, Admission>
  readonly #metrics: ServerMetrics
  readonly #app = new Hono()
  readonly #listening = new Set<Listening>()
  readonly #stopping = new AbortController()
  #draining = false

  constructor(options: Options, metrics: ServerMetrics) {
    this.#options = options
    this.#metrics = metrics
    this.#access = new Access(options)
    const { models, waitingMax } = options
    this.#admissions = new Map(models.map((model) => [model, new Admission({ running: model.slots, waitingMax })]))
    this.#defineRoutes()
  }

  /** Who may ask what: for routes of your own beside these. */
  get access(): Access {
    return this.#access
  }

  /** What `X-Kvbm-Token` must hold for routes that change the server's state. */
  get controlToken(): string {
    return this.#options.controlToken
  }

  /** The fetch handler: mount it in Next, Hono or anything that speaks Request and Response. */
  readonly fetch = async (request: Request): Promise<Response> => this.#app.fetch(request)

  /** The same for `node:http`, Express and Fastify. It reads the body itself: mount it before what parses bodies. */
  readonly handle: (request: IncomingMessage, response: ServerResponse) => Promise<void> = getRequestListener(
    this.fetch,
    { overrideGlobalObjects: false },
  )

  /** Serves over HTTP; loopback and a free port by default. Refuses to be reachable by others without an API key. */
  async listen(
    options: ListenOptions & { readonly fetch?: (request: Request) => Response | Promise<Response> } = {},
  ): Promise<Listening> {
    const listening = await listen(options.fetch ?? this.fetch, options, this.#options.apiKeys.length > 0)
    this.#listening.add(listening)
    return listening
  }

  /**
   * Refuses new requests, lets running ones end, at most `deadlineMs` long; then aborts them and cuts their connections. Models stay
   * the caller's.
   */
  async close({ deadlineMs = 10_000 }: { readonly deadlineMs?: number } = {}): Promise<void> {
    const timer = setTimeout(() => this.#stop(), deadlineMs)
    this.#draining = true
    const listening = [...this.#listening].map((server) => server.close())
    await Promise.all([...this.#admissions.values()].map((admission) => admission.drain()))
    await Promise.all(listening)
    clearTimeout(timer)
    this.#metrics.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #stop(): void {
    this.#stopping.abort(new ApiError(503, 'The server is shutting down.', { type: 'server_error' }))
    for (const server of this.#listening) server.cut()
  }

  #defineRoutes(): void {
    const app = this.#app
    app.use(async (c, next) => {
      this.#access.checkSite(c.req.raw)
      await next()
      this.#metrics.request(c.req.routePath, c.res.status)
    })
    app.onError((error, c) => {
      const failure = c.req.raw.signal.aborted ? new ApiError(503, 'The client went away.') : toApiError(error)
      if (failure.status === 500) this.#options.logger.error(`A request failed: ${String(error.stack ?? error)}`)
      return failure.toResponse()
    })
    app.notFound((c) => new ApiError(404, `There is no ${c.req.method} ${c.req.path} here.`).toResponse())
    app.post('/v1/chat/completions', (c) => this.#generate(c, chatDialect))
    app.post('/v1/completions', (c) => this.#generate(c, completionDialect))
    app.get('/v1/models', (c) => this.#listModels(c))
    app.get('/v1/models/:id{.+}', (c) => this.#showModel(c))
    app.post('/v1/kv/warm', (c) => this.#warm(c))
    app.get('/v1/kv/explain', (c) => this.#explain(c, askedInAddress))
    // For prompts that are too long for an address; it changes nothing either.
    app.post('/v1/kv/explain', (c) => this.#explain(c, () => this.#json(c)))
    app.get('/metrics', (c) => this.#showMetrics(c))
    app.get('/healthz', (c) => c.text('ok'))
    app.get('/readyz', (c) => this.#showReadiness(c))
  }

  async #generate<B extends Body>(c: Context, dialect: Dialect<B>): Promise<Response> {
    const tenant = this.#access.tenantOf(c.req.raw)
    const body = parseBody(dialect.schema, await this.#json(c))
    const model = this.#model(body.model)
    const signal = AbortSignal.any([c.req.raw.signal, this.#stopping.signal])
    const onPrompt = (prompt: PromptReady, ms: number): void => this.#metrics.prompt(model.id, prompt, ms / 1000)
    return respond({ model, admission: this.#admissions.get(model)!, dialect, body, tenant, signal, onPrompt })
  }

  async #warm(c: Context): Promise<Response> {
    this.#access.checkControl(c.req.raw)
    const tenant = this.#access.tenantOf(c.req.raw)
    const body = parseBody(promptSchema, await this.#json(c))
    const model = this.#model(body.model)
    const signal = AbortSignal.any([c.req.raw.signal, this.#stopping.signal])
    const leave = this.#admissions.get(model)!.enter()
    try {
      const tokens = askedTokens(body, model)
      roomAfter(tokens, model, body.messages === undefined ? 'prompt' : 'messages')
      return c.json(await model.warm(tokens, { signal, tenant, onEvaluated: leave }))
    } finally {
      leave()
    }
  }

  async #explain(c: Context, asked: (c: Context) => unknown): Promise<Response> {
    const tenant = this.#access.tenantOf(c.req.raw)
    const body = parseBody(promptSchema, await asked(c))
    const model = this.#model(body.model)
    return c.json(model.explain(askedTokens(body, model), tenant === undefined ? {} : { tenant }))
  }

  #showReadiness(c: Context): Response {
    const shown = this.#access.isOperator(c.req.raw) ? (status: ServedStatus) => status : statesOf
    const models = this.#options.models.map((model) => ({ id: model.id, ...shown(model.status()) }))
    const ready = !this.#draining && models.every(({ model }) => model === 'open')
    return c.json({ ready, models }, ready ? 200 : 503)
  }

  #listModels(c: Context): Response {
    this.#access.tenantOf(c.req.raw)
    return c.json({ object: 'list', data: this.#options.models.map(describeModel) })
  }

  #showModel(c: Context): Response {
    this.#access.tenantOf(c.req.raw)
    return c.json(describeModel(this.#model(c.req.param('id'))))
  }

  /** Numbers of all tenants together: for the operator, who holds the token, once there are keys. */
  async #showMetrics(c: Context): Promise<Response> {
    this.#access.checkOperator(c.req.raw)
    const { metricsRegistry } = this.#options
    if (metricsRegistry === undefined) throw new ApiError(404, 'This server was given no metricsRegistry.')
    return c.text(await metricsRegistry.metrics(), 200, { 'Content-Type': 'text/plain; version=0.0.4; charset=utf-8' })
  }

  /** The request's body: only for who has shown a key. */
  #json(c: Context): Promise<unknown> {
    return readJson(c.req.raw, this.#options.bodyBytesMax)
  }

  #model(id: string | undefined): ServedModel {
    const { models } = this.#options
    const model = id === undefined ? models[0] : models.find((served) => served.id === id)
    if (model !== undefined) return model
    const served = models.map((other) => other.id).join(', ')
    throw new ApiError(404, `There is no model '${id}' here. There is: ${served}.`, {
      code: 'model_not_found',
      param: 'model',
    })
  }
}

/** A server over models that are loaded already. Throws `RangeError` for options out of range. */
export async function createKvServer(options: KvServerOptions): Promise<KvServer> {
  const resolved = resolveOptions(options)
  return new KvServer(resolved, await serverMetrics(resolved.metricsRegistry))
}

/** The body that a query stands for: `prompt=…`, or `messages=` and JSON. */
function askedInAddress(c: Context): object {
  const { messages, ...others } = c.req.query()
  return { ...others, ...(messages === undefined ? {} : { messages: parseJson(messages, 'messages') }) }
}

function askedTokens({ messages, prompt }: PromptBody, model: ServedModel): Uint32Array {
  if (messages !== undefined) return chatTokens(chatMessages(messages), model)
  if (prompt !== undefined) return promptTokens(prompt, model)
  throw new ApiError(400, 'Give messages or a prompt.', { param: 'prompt' })
}

/** A status without its reasons. */
function statesOf({ model, cache, tiers }: ServedStatus) {
  const states = Object.entries(tiers).map(([name, { state }]) => [name, { state }] as const)
  return { model, cache, tiers: Object.fromEntries(states) }
}

function describeModel({ id, notice, contextTokens }: ServedModel): object {
  return {
    id,
    object: 'model',
    created: 0,
    owned_by: 'local',
    context_length: contextTokens,
    ...(notice === '' ? {} : { notice }),
  }
}

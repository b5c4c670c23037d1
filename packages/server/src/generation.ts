import { randomUUID } from 'node:crypto'
import type { GenerationEnd, GenerationEvent, PromptReady, ServedModel } from '@kvbm/connector'
import type { Admission } from './admission.js'
import { ApiError, toApiError } from './api-error.js'
import {
  type Answer,
  type Body,
  cacheReport,
  type Dialect,
  type FinishReason,
  generationOf,
  serverTiming,
  usageOf,
} from './dialect.js'
import { roomAfter } from './prompt-tokens.js'

/** Chunks of a stream that carry no text: its opening, its end, usage, `[DONE]`. */
const CHUNKS_AROUND = 4

export interface GenerationOptions<B extends Body> {
  readonly model: ServedModel
  readonly admission: Admission
  readonly dialect: Dialect<B>
  readonly body: B
  readonly tenant: string | undefined
  /** Aborts when the client goes away. */
  readonly signal: AbortSignal
  /** Called once when the prompt is in the engine, with milliseconds since the request arrived. */
  readonly onPrompt: (prompt: PromptReady, waitedMs: number) => void
}

/** Runs one request to its response. It is inside until the answer is complete, failed or abandoned. */
export async function respond<B extends Body>(options: GenerationOptions<B>): Promise<Response> {
  const arrived = performance.now()
  const leave = options.admission.enter()
  let running: RunningAnswer<B> | undefined
  try {
    const { answer, maxTokens } = begin(options, leave)
    running = answer
    const prompt = await answer.prompt()
    options.onPrompt(prompt, performance.now() - arrived)
    const { stream, stream_options } = options.body
    return stream === true
      ? answer.stream(prompt, { withUsage: stream_options?.include_usage === true, maxTokens })
      : await answer.whole(prompt)
  } catch (error) {
    await running?.end()
    leave()
    throw error
  }
}

function begin<B extends Body>(
  { model, dialect, body, tenant, signal: given }: GenerationOptions<B>,
  leave: () => void,
): { readonly answer: RunningAnswer<B>; readonly maxTokens: number } {
  const tokens = dialect.tokens(body, model)
  const room = roomAfter(tokens, model, dialect.promptParam)
  const maxTokens = Math.min(dialect.maxTokens(body) ?? room, room)
  const client = new AbortController()
  const signal = AbortSignal.any([given, client.signal])
  const events = model.generate(generationOf(body, { tokens, maxTokens, tenant, signal, stops: dialect.stops(model) }))
  const onEnd = (): void => {
    client.abort()
    leave()
  }
  return {
    answer: new RunningAnswer(events[Symbol.asyncIterator](), dialect, answerOf(dialect, model), onEnd),
    maxTokens,
  }
}

/** An answer on its way: first the prompt, then text, then the end. */
class RunningAnswer<B extends Body> {
  readonly #events: AsyncIterator<GenerationEvent>
  readonly #dialect: Dialect<B>
  readonly #answer: Answer
  readonly #onEnd: () => void

  constructor(events: AsyncIterator<GenerationEvent>, dialect: Dialect<B>, answer: Answer, onEnd: () => void) {
    this.#events = events
    this.#dialect = dialect
    this.#answer = answer
    this.#onEnd = onEnd
  }

  async prompt(): Promise<PromptReady> {
    const { value } = await this.#events.next()
    if (value?.type !== 'prompt') throw new ApiError(503, 'The request was given up before its prompt was evaluated.')
    return value
  }

  async whole(prompt: PromptReady): Promise<Response> {
    let text = ''
    let end: GenerationEnd | undefined
    for await (const event of this.#rest()) {
      if (event.type === 'text') text += event.text
      else if (event.type === 'end') end = event
    }
    const answer = this.#dialect.whole(this.#answer, text, finishOf(end))
    const body = { ...answer, usage: usageOf(prompt, end?.completionTokens ?? 0), kv: cacheReport(prompt) }
    return Response.json(body, { headers: { 'Server-Timing': serverTiming(prompt) } })
  }

  /** Room for the whole answer: a client that reads slowly, or not at all, holds no sequence longer than its answer takes. */
  stream(prompt: PromptReady, { withUsage, maxTokens }: { withUsage: boolean; maxTokens: number }): Response {
    const parts = this.#streamParts(prompt, withUsage)
    const encoder = new TextEncoder()
    const body = new ReadableStream<Uint8Array>(
      {
        pull: async (controller) => {
          const { value, done } = await parts.next()
          if (done) controller.close()
          else controller.enqueue(encoder.encode(`data: ${value}\n\n`))
        },
        cancel: () => this.end(),
      },
      { highWaterMark: maxTokens + CHUNKS_AROUND },
    )
    const headers = {
      'Content-Type': 'text/event-stream; charset=utf-8',
      'Cache-Control': 'no-store',
      'Server-Timing': serverTiming(prompt),
    }
    return new Response(body, { headers })
  }

  /** Ends the generation where it is and gives its place back. Idempotent. */
  async end(): Promise<void> {
    this.#onEnd()
    await this.#events.return?.()
  }

  async *#streamParts(prompt: PromptReady, withUsage: boolean): AsyncGenerator<string, void, void> {
    yield JSON.stringify({ ...this.#dialect.opening(this.#answer), kv: cacheReport(prompt) })
    let end: GenerationEnd | undefined
    try {
      for await (const event of this.#rest()) {
        if (event.type === 'text') yield JSON.stringify(this.#dialect.chunk(this.#answer, event.text, null))
        else if (event.type === 'end') end = event
      }
    } catch (error) {
      // The headers are sent: the API's way to report a failure now is an event of its own.
      yield JSON.stringify(toApiError(error).body)
      return
    }
    const last = this.#dialect.chunk(this.#answer, undefined, finishOf(end))
    yield JSON.stringify(last)
    const usage = usageOf(prompt, end?.completionTokens ?? 0)
    if (withUsage) yield JSON.stringify({ ...last, choices: [], usage })
    yield '[DONE]'
  }

  async *#rest(): AsyncGenerator<GenerationEvent, void, void> {
    try {
      for (let next = await this.#events.next(); !next.done; next = await this.#events.next()) yield next.value
    } finally {
      await this.end()
    }
  }
}

function answerOf(dialect: { readonly idPrefix: string }, model: ServedModel): Answer {
  return { id: `${dialect.idPrefix}${randomUUID()}`, created: Math.floor(Date.now() / 1000), model: model.id }
}

function finishOf(end: GenerationEnd | undefined): FinishReason {
  return end === undefined || end.finishReason === 'aborted' ? null : end.finishReason
}

import type { SessionReport } from '@kvbm/connector'
import type { LlamaContextSequence, Token } from 'node-llama-cpp'
import type { ContextCache } from './context-cache.js'
import type { RequestSettings } from './request-settings.js'
import { SequenceRequest } from './sequence-request.js'
import type { SoundPrefix } from './sound-prefix.js'

/** After a call that may be one of many (a loop of single tokens) a request ends when so long nothing follows. */
const QUIET_MS = 50
/** An answer whose next token nobody asks for in so long ends its request: it must not hold up the captures of others for ever. */
const ABANDONED_MS = 60_000
/** How long a sequence that is disposed of waits for its last capture. */
const LAST_CAPTURE_MS = 1000
/** A call with fewer blocks of tokens than this goes on with the request before it; the cache would not load less anyway. */
const BLOCKS_MIN = 2

/** What a call brings. */
export interface Asked {
  readonly tokens: Token[]
  /** How many of them, from the first on, are prompt. */
  readonly promptTokens: number
  /** False: all of them must be evaluated. */
  readonly skippable: boolean
}

/** A request, and what is left to evaluate of its tokens: one call of the engine after the other, the last one never empty. */
export interface Begun {
  readonly request: SequenceRequest
  readonly batches: readonly Token[][]
}

export interface SequenceRequestsParts {
  readonly sequence: LlamaContextSequence
  readonly context: ContextCache
  readonly sound: SoundPrefix
  readonly settings: RequestSettings
}

/** The requests of one sequence, one at a time. */
export class SequenceRequests {
  /** Of those that begin from now on. */
  settings: RequestSettings
  readonly #parts: SequenceRequestsParts
  #open: SequenceRequest | undefined
  #last: SequenceRequest | undefined
  #lastReport: SessionReport | undefined
  #isResting = false
  #cancelEnd: (() => void) | undefined

  constructor(parts: SequenceRequestsParts) {
    this.settings = parts.settings
    this.#parts = parts
  }

  get lastReport(): SessionReport | undefined {
    return this.#lastReport
  }

  /** Begins a request, or goes on with the one that rests, and puts into the sequence what is cached. */
  async begin(asked: Asked): Promise<Begun> {
    const { sequence, context } = this.#parts
    const resting = this.#resting(asked.tokens.length)
    if (resting !== undefined) return { request: resting, batches: [asked.tokens] }
    await this.endOpen()
    await context.ready()
    const resident = sequence.contextTokens
    const request = this.#begin(Uint32Array.from([...resident, ...asked.tokens.slice(0, asked.promptTokens)]))
    try {
      return { request, batches: await this.#load(request, resident, asked) }
    } catch (error) {
      await this.finish(request)
      throw error
    }
  }

  /** A call of this request is done, and perhaps another one follows. */
  rest(request: SequenceRequest): void {
    this.#endAfter(QUIET_MS, request)
    this.#isResting = this.#open === request
  }

  /** A token of the answer goes to the caller, who perhaps asks for the next one. */
  suspend(request: SequenceRequest): void {
    this.#endAfter(ABANDONED_MS, request)
  }

  /** The caller does, or another call came. */
  resume(request: SequenceRequest): void {
    if (this.#open !== request) return
    this.#cancelEnd?.()
    this.#cancelEnd = undefined
    this.#isResting = false
  }

  async finish(request: SequenceRequest): Promise<void> {
    this.resume(request)
    if (this.#open === request) this.#open = undefined
    this.#lastReport = await request.end()
  }

  async endOpen(): Promise<void> {
    if (this.#open !== undefined) await this.finish(this.#open)
  }

  async endResting(): Promise<void> {
    if (this.#isResting) await this.endOpen()
  }

  /** Resolves when the last request is captured, or that takes too long. */
  async captured(): Promise<void> {
    const { clock } = this.#parts.context
    await new Promise<void>((resolve) => {
      const cancel = clock.after(LAST_CAPTURE_MS, resolve)
      const done = (): void => {
        cancel()
        resolve()
      }
      if (this.#last === undefined) done()
      else void this.#last.session.captured().then(done)
    })
  }

  #resting(tokens: number): SequenceRequest | undefined {
    if (!this.#isResting || tokens >= BLOCKS_MIN * this.#parts.context.kv.pageSize) return undefined
    if (this.#open !== undefined) this.resume(this.#open)
    return this.#open
  }

  #begin(prompt: Uint32Array): SequenceRequest {
    const { sequence, context, sound } = this.#parts
    const { exact = false } = this.settings
    const leave = context.enter(() => this.endOpen())
    const session = context.connector.open(prompt, this.settings)
    const request = new SequenceRequest({ sequence, session, sound, leave, promptTokens: prompt.length, exact })
    this.#open = request
    this.#last = request
    return request
  }

  /** What is left to evaluate when the cache has put into the sequence what it has. */
  async #load(request: SequenceRequest, resident: Token[], { tokens, skippable }: Asked): Promise<Token[][]> {
    const { session } = request
    const { sequence } = this.#parts
    const isAsked = skippable && request.isLoadable
    if (!isAsked || session.lookup({ residentTokens: resident.length }).decision === 'recompute') return [tokens]
    const loaded = await session.load(sequence)
    request.loaded(loaded)
    const from = sequence.nextTokenIndex
    const rest = tokens.slice(Math.max(0, from - resident.length))
    // A restore that failed may have emptied the sequence.
    const lost = resident.slice(from)
    // The last cut is the prompt's end, where the call itself ends or asks for output.
    return lost.length > 0 ? [lost, rest] : splitAt(rest, from, loaded.cuts.slice(0, -1))
  }

  #endAfter(ms: number, request: SequenceRequest): void {
    if (this.#open !== request) return
    this.resume(request)
    this.#cancelEnd = this.#parts.context.clock.after(ms, () => void this.finish(request))
  }
}

/** Tokens that go to place `from` and on, cut where batches must end. */
function splitAt(tokens: Token[], from: number, cuts: readonly number[]): Token[][] {
  const begins = [from, ...cuts.filter((cut) => cut > from && cut < from + tokens.length)]
  return begins.map((begin, index) => tokens.slice(begin - from, (begins[index + 1] ?? from + tokens.length) - from))
}

import type { KvConnector, SessionReport } from '@kvbm/connector'
import type { ControlledEvaluateInputItem, LlamaContextSequence, Token } from 'node-llama-cpp'
import { override } from '../override.js'
import type { ContextCache } from './context-cache.js'
import { type ControlledOptions, countToFirstOutput, shiftOptions, shiftOutputs, tokensOf } from './controlled-input.js'
import { type EngineMethods, methodsOf } from './engine-methods.js'
import type { RequestSettings } from './request-settings.js'
import { SequenceRequest } from './sequence-request.js'
import { SoundPrefix } from './sound-prefix.js'

/** After a call that may be one of many (a loop of single tokens) a request ends when so long nothing follows. */
const QUIET_MS = 50
/** How long a sequence that is disposed of waits for its last capture. */
const DISPOSE_WAIT_MS = 1000
/** A call with fewer blocks of tokens than this goes on with the request before it; the cache would not load less anyway. */
const BLOCKS_MIN = 2

type Generation = ReturnType<EngineMethods['evaluateWithMetadata']>
type GenerateParameters = Parameters<EngineMethods['evaluateWithMetadata']>
type FeedOptions = Parameters<EngineMethods['evaluateWithoutGeneratingNewTokens']>[1]

/** A request, and what is left to evaluate of the tokens that it came with: one batch after the other, the last one never empty. */
interface Begun {
  readonly request: SequenceRequest
  readonly batches: readonly Token[][]
}

/** What a call asks for. */
interface Asked {
  readonly tokens: Token[]
  /** How many of them, from the first on, are prompt. */
  readonly promptTokens: number
  /** False: all of them must be evaluated. */
  readonly skippable: boolean
}

/** One sequence and its cache: stands before the sequence's own methods. */
export class SequenceCache {
  /** Of the requests that begin from now on. */
  settings: RequestSettings
  readonly #sequence: LlamaContextSequence
  readonly #context: ContextCache
  readonly #engine: EngineMethods
  readonly #sound: SoundPrefix
  #calls = 0
  #request: SequenceRequest | undefined
  #last: SequenceRequest | undefined
  #lastReport: SessionReport | undefined
  #cancelQuiet: (() => void) | undefined

  constructor(sequence: LlamaContextSequence, context: ContextCache, settings: RequestSettings) {
    this.settings = settings
    this.#sequence = sequence
    this.#context = context
    this.#engine = methodsOf(sequence)
    this.#sound = new SoundPrefix(sequence)
    context.watch(sequence, this.#sound)
    override(sequence, this.#methods())
  }

  /** For `explain`, `warm`, `status` and `settled`. */
  get connector(): KvConnector<LlamaContextSequence> {
    return this.#context.connector
  }

  /** What the cache did for the last request that ended. */
  get lastReport(): SessionReport | undefined {
    return this.#lastReport
  }

  /** Ends the request that waits for more calls, and runs the captures that wait. Resolves when none is left. */
  async settled(): Promise<void> {
    if (this.#cancelQuiet !== undefined) await this.#endRequest()
    await this.connector.settled()
  }

  #methods(): Partial<LlamaContextSequence> {
    const methods: EngineMethods = {
      evaluateWithMetadata: ((...call: GenerateParameters) => this.#generate(call)) as never,
      evaluateWithoutGeneratingNewTokens: (tokens, options) => this.#feed(tokens, options),
      controlledEvaluate: (input, options) => this.#controlled(input, options),
      adaptStateToTokens: (tokens, allowShift) => this.#adapt(tokens, allowShift),
      eraseContextTokenRanges: (ranges) =>
        this.#changing(
          () => this.#sound.cutBefore(ranges),
          () => this.#engine.eraseContextTokenRanges(ranges),
        ),
      clearHistory: () =>
        this.#changing(
          () => this.#sound.cut(0),
          () => this.#engine.clearHistory(),
        ),
      loadStateFromFile: (path, risk) =>
        this.#changing(
          () => this.#sound.cut(0),
          () => this.#engine.loadStateFromFile(path, risk),
        ),
      dispose: () => this.#dispose(),
    }
    return methods
  }

  // ── Evaluating ──────────────────────────────────────────────────────────

  async *#generate([tokens, metadata, options]: GenerateParameters): Generation {
    if (this.#calls > 0 || tokens.length === 0)
      return yield* this.#engine.evaluateWithMetadata(tokens, metadata, options)
    const { request, batches } = await this.#during(() => this.#begin(wholly(tokens)))
    try {
      await this.#during(() => this.#feedAll(request, batches.slice(0, -1), options))
      yield* this.#steps(request, [batches.at(-1)!, metadata, options])
    } finally {
      await this.#finish(request)
    }
  }

  async *#steps(request: SequenceRequest, call: GenerateParameters): Generation {
    const generation = this.#engine.evaluateWithMetadata(...call)
    let fed = call[0].length
    let input: undefined | Token | Token[]
    try {
      while (true) {
        const { value, done } = await this.#timed(request, fed, () => generation.next(input))
        request.prefilled()
        if (done === true) return
        input = (yield value) ?? undefined
        fed = Array.isArray(input) ? input.length : 1
      }
    } finally {
      await generation.return()
    }
  }

  async #feed(tokens: Token[], options: FeedOptions): Promise<void> {
    // The engine feeds itself under its own lock: asking it for anything would wait for ever.
    const isInner = (options as { _skipLock?: boolean } | undefined)?._skipLock === true
    if (isInner || this.#calls > 0 || tokens.length === 0)
      return this.#engine.evaluateWithoutGeneratingNewTokens(tokens, options)
    await this.#inRequest(wholly(tokens), ({ request, batches }) => this.#feedAll(request, batches, options))
  }

  async #controlled(
    input: ControlledEvaluateInputItem[],
    options: ControlledOptions,
  ): ReturnType<EngineMethods['controlledEvaluate']> {
    if (this.#calls > 0 || input.length === 0) return this.#engine.controlledEvaluate(input, options)
    return this.#inRequest(this.#askedBy(input), async ({ request, batches }) => {
      await this.#feedAll(request, batches.slice(0, -1), options)
      const done = input.length - batches.at(-1)!.length
      const rest = input.slice(done)
      const evaluate = () => this.#engine.controlledEvaluate(rest, shiftOptions(options, done))
      return shiftOutputs(await this.#timed(request, rest.length, evaluate), done)
    })
  }

  /** In exact mode a prompt is named as a whole, so that nothing before an output can be skipped on its own. */
  #askedBy(input: readonly ControlledEvaluateInputItem[]): Asked {
    const toOutput = countToFirstOutput(input)
    const { exact = false } = this.settings
    const skippable = !exact || toOutput === input.length
    return { tokens: tokensOf(input), promptTokens: exact ? input.length : toOutput, skippable }
  }

  /** Calls that return at once when the engine has the tokens: more may follow. */
  async #inRequest<T>(asked: Asked, work: (begun: Begun) => Promise<T>): Promise<T> {
    return this.#during(async () => {
      const begun = await this.#begin(asked)
      try {
        const result = await work(begun)
        begun.request.prefilled()
        this.#cancelQuiet = this.#context.clock.after(QUIET_MS, () => void this.#finish(begun.request))
        return result
      } catch (error) {
        await this.#finish(begun.request)
        throw error
      }
    })
  }

  async #feedAll(request: SequenceRequest, batches: readonly Token[][], options: FeedOptions): Promise<void> {
    for (const batch of batches)
      await this.#timed(request, batch.length, () => this.#engine.evaluateWithoutGeneratingNewTokens(batch, options))
  }

  async #timed<T>(request: SequenceRequest, tokens: number, work: () => Promise<T>): Promise<T> {
    const started = this.#context.clock.now()
    const result = await this.#during(work)
    request.evaluated(tokens, this.#context.clock.now() - started)
    return result
  }

  /** While a call runs others pass straight through: they wait for the engine's lock, and show in a length that nobody expected. */
  async #during<T>(work: () => Promise<T>): Promise<T> {
    this.#calls++
    try {
      return await work()
    } finally {
      this.#calls--
    }
  }

  // ── Requests ────────────────────────────────────────────────────────────

  async #begin(asked: Asked): Promise<Begun> {
    const open = this.#resting(asked.tokens.length)
    if (open !== undefined) return { request: open, batches: [asked.tokens] }
    await this.#endRequest()
    await this.#context.ready()
    const resident = this.#sequence.contextTokens
    const prompt = Uint32Array.from([...resident, ...asked.tokens.slice(0, asked.promptTokens)])
    const request = this.#open(prompt)
    try {
      return { request, batches: await this.#load(request, resident, asked) }
    } catch (error) {
      await this.#finish(request)
      throw error
    }
  }

  /** The request before, if it rests and these tokens go on with it. */
  #resting(tokens: number): SequenceRequest | undefined {
    if (this.#cancelQuiet === undefined || tokens >= BLOCKS_MIN * this.#context.kv.pageSize) return undefined
    this.#stopQuiet()
    return this.#request
  }

  #open(prompt: Uint32Array): SequenceRequest {
    const { exact = false } = this.settings
    const presence = this.#context.enter(() => this.#endRequest())
    const request = new SequenceRequest({
      sequence: this.#sequence,
      session: this.connector.open(prompt, this.settings),
      sound: this.#sound,
      presence,
      promptTokens: prompt.length,
      exact,
    })
    this.#request = request
    this.#last = request
    return request
  }

  /** What is left to evaluate when the cache has put into the sequence what it has. */
  async #load(request: SequenceRequest, resident: Token[], { tokens, skippable }: Asked): Promise<Token[][]> {
    const { session } = request
    const isAsked = skippable && request.isLoadable
    if (!isAsked || session.lookup({ residentTokens: resident.length }).decision === 'recompute') return [tokens]
    const loaded = await session.load(this.#sequence)
    request.loaded(loaded)
    const from = this.#sequence.nextTokenIndex
    const rest = tokens.slice(Math.max(0, from - resident.length))
    // The last cut is the prompt's end, where the call itself ends or asks for output. A restore that failed may have emptied the sequence.
    const lost = resident.slice(from)
    return lost.length > 0 ? [lost, rest] : splitAt(rest, from, loaded.cuts.slice(0, -1))
  }

  async #finish(request: SequenceRequest): Promise<void> {
    if (this.#request === request) {
      this.#request = undefined
      this.#stopQuiet()
    }
    this.#lastReport = await request.end()
  }

  async #endRequest(): Promise<void> {
    if (this.#request !== undefined) await this.#finish(this.#request)
  }

  #stopQuiet(): void {
    this.#cancelQuiet?.()
    this.#cancelQuiet = undefined
  }

  // ── Changing what the sequence holds ────────────────────────────────────

  async #changing<T>(cut: () => void, change: () => Promise<T>): Promise<T> {
    if (this.#calls === 0) await this.#endRequest()
    cut()
    return change()
  }

  async #adapt(tokens: Token[], allowShift = true): Promise<void> {
    const before = this.#sequence.nextTokenIndex
    const { firstDifferentIndex: kept } = this.#sequence.compareContextTokens(tokens)
    const adapt = () => this.#engine.adaptStateToTokens(tokens, allowShift)
    if (kept === before) return adapt()
    const mayKeepMore = allowShift && kept === tokens.length
    await this.#changing(() => void (mayKeepMore || this.#sound.cut(kept)), adapt)
    if (this.#sequence.nextTokenIndex < before) this.#sound.cut(kept)
  }

  async #dispose(): Promise<void> {
    await this.#endRequest()
    if (this.#last !== undefined && this.#context.isIdle) await this.#captured(this.#last)
    await this.#engine.dispose()
  }

  async #captured({ session }: SequenceRequest): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = this.#context.clock.after(DISPOSE_WAIT_MS, resolve)
      void session.captured().then(() => {
        cancel()
        resolve()
      })
    })
  }
}

function wholly(tokens: Token[]): Asked {
  return { tokens, promptTokens: tokens.length, skippable: true }
}

/** Tokens that go to place `from` and on, cut where batches must end. */
function splitAt(tokens: Token[], from: number, cuts: readonly number[]): Token[][] {
  const begins = [from, ...cuts.filter((cut) => cut > from && cut < from + tokens.length)]
  return begins.map((begin, index) => tokens.slice(begin - from, (begins[index + 1] ?? from + tokens.length) - from))
}

import { checkTenant, type KvConnector, type SessionReport } from '@kvbm/connector'
import type { ControlledEvaluateInputItem, LlamaContextSequence, Token } from 'node-llama-cpp'
import { override } from '../override.js'
import type { ContextCache } from './context-cache.js'
import { type ControlledOptions, countToFirstOutput, shiftOptions, shiftOutputs, tokensOf } from './controlled-input.js'
import { type EngineMethods, methodsOf } from './engine-methods.js'
import type { RequestSettings } from './request-settings.js'
import type { SequenceRequest } from './sequence-request.js'
import { type Asked, type Begun, SequenceRequests } from './sequence-requests.js'
import { SoundPrefix } from './sound-prefix.js'

type Generation = ReturnType<EngineMethods['evaluateWithMetadata']>
type GenerateParameters = Parameters<EngineMethods['evaluateWithMetadata']>
type FeedOptions = Parameters<EngineMethods['evaluateWithoutGeneratingNewTokens']>[1]

/** One sequence and its cache: stands before the sequence's own methods. */
export class SequenceCache {
  readonly #sequence: LlamaContextSequence
  readonly #context: ContextCache
  readonly #engine: EngineMethods
  readonly #sound: SoundPrefix
  readonly #requests: SequenceRequests
  #calls = 0

  /** Made by `withKvCache`. */
  constructor(sequence: LlamaContextSequence, context: ContextCache, settings: RequestSettings) {
    this.#sequence = sequence
    this.#context = context
    this.#engine = methodsOf(sequence)
    this.#sound = new SoundPrefix(sequence)
    this.#requests = new SequenceRequests({ sequence, context, sound: this.#sound, settings })
    context.watch(sequence, this.#sound)
    override(sequence, this.#methods())
  }

  /** For `explain`, `warm` and `status`. */
  get connector(): KvConnector<LlamaContextSequence> {
    return this.#context.connector
  }

  /** What the cache did for the last request that ended. */
  get lastReport(): SessionReport | undefined {
    return this.#requests.lastReport
  }

  /** Whose requests those are that begin from now on. */
  get settings(): RequestSettings {
    return this.#requests.settings
  }

  /** Throws `TypeError` for a tenant that is no string. */
  set settings(settings: RequestSettings) {
    checkTenant(settings.tenant)
    this.#requests.settings = settings
  }

  /**
   * Ends the request that waits for more calls. Resolves when no capture of the context waits or runs: not before its other requests
   * have ended, because none starts beside them.
   */
  async settled(): Promise<void> {
    await this.#requests.endResting()
    await this.connector.settled()
  }

  #methods(): EngineMethods {
    const [engine, sound] = [this.#engine, this.#sound]
    const changing = <T>(cut: () => void, change: () => Promise<T>): Promise<T> => this.#changing(cut, change)
    return {
      // Its result depends on which metadata is asked for; ours is whatever the engine's is.
      evaluateWithMetadata: ((...call: GenerateParameters) => this.#generate(call)) as never,
      evaluateWithoutGeneratingNewTokens: (tokens, options) => this.#feed(tokens, options),
      controlledEvaluate: (input, options) => this.#controlled(input, options),
      adaptStateToTokens: (tokens, allowShift) => this.#adapt(tokens, allowShift),
      eraseContextTokenRanges: (ranges) =>
        changing(
          () => sound.cutBefore(ranges),
          () => engine.eraseContextTokenRanges(ranges),
        ),
      clearHistory: () =>
        changing(
          () => sound.cut(0),
          () => engine.clearHistory(),
        ),
      loadStateFromFile: (path, risk) =>
        changing(
          () => sound.cut(0),
          () => engine.loadStateFromFile(path, risk),
        ),
      dispose: () => this.#dispose(),
    }
  }

  // ── Evaluating ──────────────────────────────────────────────────────────

  async *#generate([tokens, metadata, options]: GenerateParameters): Generation {
    if (this.#calls > 0 || tokens.length === 0)
      return yield* this.#engine.evaluateWithMetadata(tokens, metadata, options)
    const { request, batches } = await this.#during(() => this.#requests.begin(wholly(tokens)))
    try {
      await this.#during(() => this.#feedAll(request, batches.slice(0, -1), options))
      yield* this.#steps(request, [batches.at(-1)!, metadata, options])
    } finally {
      await this.#requests.finish(request)
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
        this.#requests.suspend(request)
        input = (yield value) ?? undefined
        this.#requests.resume(request)
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
      const begun = await this.#requests.begin(asked)
      try {
        const result = await work(begun)
        begun.request.prefilled()
        this.#requests.rest(begun.request)
        return result
      } catch (error) {
        await this.#requests.finish(begun.request)
        throw error
      }
    })
  }

  async #feedAll(request: SequenceRequest, batches: readonly Token[][], options: FeedOptions): Promise<void> {
    const feed = (batch: Token[]) => this.#engine.evaluateWithoutGeneratingNewTokens(batch, options)
    for (const batch of batches) await this.#timed(request, batch.length, () => feed(batch))
  }

  async #timed<T>(request: SequenceRequest, tokens: number, work: () => Promise<T>): Promise<T> {
    const { clock } = this.#context
    const from = this.#sequence.nextTokenIndex
    const started = clock.now()
    const result = await this.#during(work)
    request.evaluated({ from, tokens, ms: clock.now() - started })
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

  // ── Changing what the sequence holds ────────────────────────────────────

  /** Cut first: a capture that runs meanwhile sees it. */
  async #changing<T>(cut: () => void, change: () => Promise<T>): Promise<T> {
    if (this.#calls === 0) await this.#requests.endOpen()
    cut()
    return change()
  }

  async #adapt(tokens: Token[], allowShift = true): Promise<void> {
    const before = this.#sequence.nextTokenIndex
    const { firstDifferentIndex: kept } = this.#sequence.compareContextTokens(tokens)
    const adapt = () => this.#engine.adaptStateToTokens(tokens, allowShift)
    if (kept === before) return adapt()
    // Allowed to shift, the engine keeps what stands behind the last of these tokens.
    const mayKeepMore = allowShift && kept === tokens.length
    await this.#changing(() => void (mayKeepMore || this.#sound.cut(kept)), adapt)
    if (this.#sequence.nextTokenIndex < before) this.#sound.cut(kept)
  }

  async #dispose(): Promise<void> {
    await this.#requests.endOpen()
    if (this.#context.isIdle) await this.#requests.captured()
    await this.#engine.dispose()
  }
}

function wholly(tokens: Token[]): Asked {
  return { tokens, promptTokens: tokens.length, skippable: true }
}

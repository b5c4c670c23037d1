import type { KvSession, Loaded, SessionReport } from '@kvbm/connector'
import type { LlamaContextSequence } from 'node-llama-cpp'
import type { SoundPrefix } from './sound-prefix.js'

export interface SequenceRequestParts {
  readonly sequence: LlamaContextSequence
  readonly session: KvSession<LlamaContextSequence>
  readonly sound: SoundPrefix
  /** Leaves the context. */
  readonly leave: () => void
  readonly promptTokens: number
  readonly exact: boolean
}

/** What one call of the engine did. */
export interface Evaluated {
  /** Tokens that the sequence held before. */
  readonly from: number
  readonly tokens: number
  readonly ms: number
}

/** One prompt and its answer in a sequence: tells its session what the engine did. */
export class SequenceRequest {
  readonly session: KvSession<LlamaContextSequence>
  readonly #parts: SequenceRequestParts
  readonly #startedEmpty: boolean
  #prefilled = false
  #ended: Promise<SessionReport> | undefined

  constructor(parts: SequenceRequestParts) {
    this.session = parts.session
    this.#parts = parts
    this.#startedEmpty = parts.sequence.nextTokenIndex === 0
    if (!parts.sound.isWhole) parts.session.contextShifted()
  }

  /**
   * Whether the cache is asked at all: not behind moved tokens, not where the prompt will not fit without moving any. In exact mode not
   * after other tokens either: they may have been computed in batches that no cold run has.
   */
  get isLoadable(): boolean {
    const { sound, exact, sequence, promptTokens } = this.#parts
    return sound.isWhole && promptTokens < sequence.contextSize && (!exact || this.#startedEmpty)
  }

  /** The cache put something, or nothing, into the sequence. */
  loaded({ tokens }: Loaded): void {
    if (tokens > 0) this.#parts.sound.restored()
  }

  /** The engine evaluated tokens after those that the sequence held. */
  evaluated({ from, tokens, ms }: Evaluated): void {
    const { sequence, sound, session } = this.#parts
    if (sequence.nextTokenIndex === from + tokens) sound.evaluated({ from, to: from + tokens })
    else {
      sound.cut(0)
      session.contextShifted()
    }
    if (!this.#prefilled) session.prefilled({ tokens, ms })
  }

  /** All of the prompt is in the engine: it is captured now if that is short and in nobody's way. */
  prefilled(): void {
    if (this.#prefilled) return
    this.#prefilled = true
    const { session, sequence } = this.#parts
    if (this.#isCapturable) session.capture({ early: true }, sequence)
  }

  /** In exact mode not after other tokens: no cold run has their batches. */
  get #isCapturable(): boolean {
    return !this.#parts.exact || this.#startedEmpty
  }

  /** Captures what is new, in the background, and ends. A second call gives the same report. */
  end(): Promise<SessionReport> {
    this.#ended ??= this.#end()
    return this.#ended
  }

  async #end(): Promise<SessionReport> {
    const { session, sequence, leave } = this.#parts
    if (this.#prefilled && this.#isCapturable && !sequence.disposed)
      session.capture({ tokens: Uint32Array.from(sequence.contextTokens) }, sequence)
    leave()
    return session.finish()
  }
}

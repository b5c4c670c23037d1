/** A character takes at most four bytes; tokens that begin one inside and end in the next can follow each other for a while. */
const TOKENS_HELD_MAX = 8
/** Tokens before the new ones that a detokenizer may look at, to know whether a space begins the text. */
const LOOK_BEHIND = 8
const REPLACEMENT = '\ufffd'

/** Text of tokens; what stands before them decides about spaces. */
export type Detokenize<T> = (tokens: readonly T[], before: readonly T[]) => string

/** Text of tokens that come one by one. Half a character is held back until its other bytes are there. */
export class TokenText<T> {
  readonly #detokenize: Detokenize<T>
  #before: readonly T[]
  #held: T[] = []

  constructor(detokenize: Detokenize<T>, before: readonly T[]) {
    this.#detokenize = detokenize
    this.#before = before.slice(-LOOK_BEHIND)
  }

  /** The text that is complete now; empty while a character is not. */
  push(token: T): string {
    this.#held.push(token)
    const text = this.#detokenize(this.#held, this.#before)
    if (text.endsWith(REPLACEMENT) && this.#held.length < TOKENS_HELD_MAX) return ''
    this.#release()
    return text
  }

  /** What was held back when no more tokens come: a broken character shows as one. */
  end(): string {
    const text = this.#held.length === 0 ? '' : this.#detokenize(this.#held, this.#before)
    this.#release()
    return text
  }

  #release(): void {
    this.#before = [...this.#before, ...this.#held].slice(-LOOK_BEHIND)
    this.#held = []
  }
}

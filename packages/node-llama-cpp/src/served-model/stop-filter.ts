/** Text that comes in pieces, up to the first of the stop texts. What may become the beginning of one is held back. */
export class StopFilter {
  readonly #stops: readonly string[]
  #held = ''
  #stopped = false

  constructor(stops: readonly string[]) {
    this.#stops = stops
  }

  /** One of the texts was found: nothing more comes. */
  get stopped(): boolean {
    return this.#stopped
  }

  /** The text that can be shown now. */
  push(piece: string): string {
    if (this.#stopped) return ''
    const text = this.#held + piece
    const found = this.#stops.map((stop) => text.indexOf(stop)).filter((index) => index >= 0)
    this.#stopped = found.length > 0
    const shown = this.#stopped ? Math.min(...found) : text.length - this.#pending(text)
    this.#held = this.#stopped ? '' : text.slice(shown)
    return text.slice(0, shown)
  }

  /** What was held back when no more text comes. */
  end(): string {
    const text = this.#held
    this.#held = ''
    return text
  }

  /** How much of the text's end is the beginning of a stop text. */
  #pending(text: string): number {
    return Math.max(0, ...this.#stops.map((stop) => overlap(text, stop)))
  }
}

function overlap(text: string, stop: string): number {
  let length = Math.min(text.length, stop.length - 1)
  while (length > 0 && !text.endsWith(stop.slice(0, length))) length--
  return length
}

import { Presets, SingleBar } from 'cli-progress'
import { ratio } from './ratio.js'
import type { Tally } from './tally.js'

const BAR_EVERY_MS = 100
const LINE_EVERY_MS = 5000

/** A bar on a terminal, in a pipe a plain line at once and then every few seconds. On stderr: stdout has the report alone. */
export class Progress {
  readonly #total: number
  readonly #bar: SingleBar | undefined
  #shownAt = Number.NEGATIVE_INFINITY

  constructor(total: number) {
    this.#total = total
    if (!process.stderr.isTTY) return
    const format = '  {bar} {value}/{total} requests  {note}'
    const looks = { format, barsize: 20, hideCursor: true, clearOnComplete: true }
    this.#bar = new SingleBar(looks, Presets.shades_classic)
    this.#bar.start(total, 0, { note: '' })
  }

  show(tally: Tally): void {
    const now = performance.now()
    if (now - this.#shownAt < (this.#bar === undefined ? LINE_EVERY_MS : BAR_EVERY_MS)) return
    this.#shownAt = now
    const note = `${(100 * ratio(tally.hit, tally.seen)).toFixed(1)} % of ${tally.seen} blocks cached, ${tally.wrong} wrong`
    if (this.#bar !== undefined) this.#bar.update(tally.requests, { note })
    else console.error(`  ${tally.requests} of ${this.#total} requests, ${note}`)
  }

  [Symbol.dispose](): void {
    this.#bar?.stop()
  }
}

import { createHash } from 'node:crypto'
import type { SeededRandom } from './seeded-random.js'

/** Something that happens when the scheduler says so, at `dueMs` of simulated time or later. */
export interface Turn {
  readonly what: string
  readonly dueMs: number
  readonly owner: object
  take(): void
  /** What a kernel may still do of it when the process has died. */
  readonly afterDeath?: () => void
}

/** Simulated time that passes with a turn, at most. */
const TURN_MS_MAX = 0.2

/**
 * What is under way, and the one clock. Invariant: nothing happens by itself; `step` picks one of the turns that are due by the
 * seed, and only where none is due does time jump to the next. All that happened goes into `digest`.
 */
export class Scheduler {
  readonly #random: SeededRandom
  readonly #pending: Turn[] = []
  readonly #digest = createHash('sha256')
  readonly #onNote: ((line: string) => void) | undefined
  #nowMs = 0
  #steps = 0

  /** `onNote` gets every line of the trace. */
  constructor(random: SeededRandom, onNote?: (line: string) => void) {
    this.#random = random
    this.#onNote = onNote
  }

  get nowMs(): number {
    return this.#nowMs
  }

  /** Turns taken so far. */
  get steps(): number {
    return this.#steps
  }

  /** SHA-256 of the trace so far. */
  get digest(): string {
    return this.#digest.copy().digest('hex')
  }

  get pending(): number {
    return this.#pending.length
  }

  /** A line of the trace. */
  note(line: string): void {
    const timed = `${this.#nowMs.toFixed(3)} ${line}`
    this.#digest.update(timed).update('\n')
    this.#onNote?.(timed)
  }

  add(turn: Turn): void {
    this.#pending.push(turn)
  }

  remove(turn: Turn): void {
    const index = this.#pending.indexOf(turn)
    if (index >= 0) this.#pending.splice(index, 1)
  }

  /** Takes one turn. False where nothing is under way. */
  step(): boolean {
    if (this.#pending.length === 0) return false
    this.#nowMs += this.#random.unit() * TURN_MS_MAX
    const turn = this.#random.pick(this.#due())
    this.remove(turn)
    this.#steps++
    this.note(turn.what)
    turn.take()
    return true
  }

  /** All that an owner had under way vanishes. Returns it. */
  drop(owner: object): Turn[] {
    const dropped = this.#pending.filter((turn) => turn.owner === owner)
    for (const turn of dropped) this.remove(turn)
    return dropped
  }

  #due(): Turn[] {
    const next = Math.min(...this.#pending.map(({ dueMs }) => dueMs))
    this.#nowMs = Math.max(this.#nowMs, next)
    return this.#pending.filter(({ dueMs }) => dueMs <= this.#nowMs)
  }
}

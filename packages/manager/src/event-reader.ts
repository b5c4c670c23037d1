import type { ManagerEvent } from './manager-event.js'

/** Events kept for one slow reader before the oldest are dropped: some minutes of a busy manager, some megabytes. */
export const BUFFERED_EVENTS_MAX = 10_000

const DONE: IteratorReturnResult<undefined> = Object.freeze({ done: true, value: undefined })

/** Events for one reader, kept from its making on. A slow reader gets `missed` instead of a full memory. */
export class EventReader implements AsyncIterableIterator<ManagerEvent, undefined> {
  readonly #onEnd: () => void
  readonly #buffer: ManagerEvent[] = []
  readonly #waiting: Array<() => void> = []
  #missed = 0
  #isEnded = false

  constructor(onEnd: () => void) {
    this.#onEnd = onEnd
  }

  push(event: ManagerEvent): void {
    if (this.#buffer.length === BUFFERED_EVENTS_MAX) {
      this.#buffer.shift()
      this.#missed++
    }
    this.#buffer.push(event)
    this.#waiting.shift()?.()
  }

  /** No more events come; those that are here can still be read. */
  readonly end = (): void => {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#onEnd()
    for (const wake of this.#waiting.splice(0)) wake()
  }

  async next(): Promise<IteratorResult<ManagerEvent, undefined>> {
    while (this.#buffer.length === 0) {
      if (this.#isEnded) return DONE
      await new Promise<void>((wake) => this.#waiting.push(wake))
    }
    return { done: false, value: this.#take() }
  }

  /** Called when the reader leaves its loop. */
  async return(): Promise<IteratorReturnResult<undefined>> {
    this.#buffer.length = 0
    this.#missed = 0
    this.end()
    return DONE
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #take(): ManagerEvent {
    const next = this.#buffer[0]!
    if (this.#missed === 0) return this.#buffer.shift()!
    const count = this.#missed
    this.#missed = 0
    return { type: 'missed', count, sequence: next.sequence }
  }
}

import { attempt, type BlockEvent, type EventManager, type Logger } from '@kvbm/core'
import { EventReader } from './event-reader.js'
import type { BlocksCorrupt, ManagerEventListener, TierRoleChanged, TierStateChanged } from './manager-event.js'

/** Numbers the events of all tiers and hands them to the event manager of the config, to listeners and to readers. */
export class EventHub implements EventManager {
  #sequence = 0
  #isClosed = false
  readonly #listeners = new Set<ManagerEventListener>()
  readonly #readers = new Set<EventReader>()
  readonly #external: EventManager | undefined
  readonly #logger: Logger

  constructor(options: { readonly external?: EventManager | undefined; readonly logger: Logger }) {
    this.#external = options.external
    this.#logger = options.logger
  }

  readonly #failed = (why: string): void =>
    this.#logger.error(`An event listener threw; the event is lost for it: ${why}`)

  /** Where every event would be lost. */
  isIdle(): boolean {
    return this.#external === undefined && this.#listeners.size + this.#readers.size === 0
  }

  publish(event: BlockEvent): void {
    if (this.#external !== undefined) attempt(() => this.#external?.publish(event), this.#failed)
    this.emit(event)
  }

  emit(event: BlockEvent | BlocksCorrupt | TierStateChanged | TierRoleChanged): void {
    const numbered = { ...event, sequence: this.#sequence++ }
    for (const listener of this.#listeners) attempt(() => listener(numbered), this.#failed)
    for (const reader of this.#readers) reader.push(numbered)
  }

  /** Calls `listener` synchronously for every event; returns the unsubscribe function. */
  listen(listener: ManagerEventListener): () => void {
    // A wrapper, so that one function can listen twice and leave once.
    const own: ManagerEventListener = (event) => listener(event)
    if (!this.#isClosed) this.#listeners.add(own)
    return () => void this.#listeners.delete(own)
  }

  /** All events from this call on, until the signal aborts, the reader stops or the manager closes. */
  read(signal?: AbortSignal): EventReader {
    const reader = new EventReader(() => {
      this.#readers.delete(reader)
      signal?.removeEventListener('abort', reader.end)
    })
    this.#readers.add(reader)
    signal?.addEventListener('abort', reader.end, { once: true })
    if (this.#isClosed || signal?.aborted) reader.end()
    return reader
  }

  /** Ends every reader after the events it has not read yet. */
  close(): void {
    this.#isClosed = true
    this.#listeners.clear()
    for (const reader of this.#readers) reader.end()
  }
}

import type { BlockEvent, EventManager, Logger, PackedHashes, TierName } from '@kvbm/core'

/** A block whose bytes did not fit its checksum: it was taken out of the tier and never served. */
export interface BlocksCorrupt {
  readonly type: 'corrupt'
  readonly tier: TierName
  readonly hashes: PackedHashes
}

/** A tier got better or worse. */
export interface TierStateChanged {
  readonly type: 'tier-state'
  readonly tier: TierName
  readonly state: 'ok' | 'degraded' | 'off'
  readonly reason: string
}

/** This reader was too slow: so many events before the next one were dropped. Read `status()` or match again to resync. */
export interface EventsMissed {
  readonly type: 'missed'
  readonly count: number
}

type Numbered<E> = E extends unknown
  ? E & { /** Ascending without gaps over all tiers. */ readonly sequence: number }
  : never

/** What a manager tells: block events, damage, states of tiers and gaps, numbered in one sequence. */
export type ManagerEvent = Numbered<BlockEvent | BlocksCorrupt | TierStateChanged | EventsMissed>
/** Called in the same turn as the event; it must return quickly. */
export type ManagerEventListener = (event: ManagerEvent) => void

/** Events kept for one slow reader before the oldest are dropped. */
const BUFFERED_EVENTS_MAX = 10_000

/** Numbers the events of all tiers and hands them to the event manager of the config, to listeners and to readers. */
export class EventHub implements EventManager {
  #sequence = 0
  readonly #listeners = new Set<ManagerEventListener>()
  readonly #ended = new AbortController()
  readonly #external: EventManager | undefined
  readonly #logger: Logger

  constructor(options: { readonly external?: EventManager | undefined; readonly logger: Logger }) {
    this.#external = options.external
    this.#logger = options.logger
  }

  publish(event: BlockEvent): void {
    if (this.#external !== undefined) this.#guarded(() => this.#external?.publish(event))
    this.emit(event)
  }

  emit(event: BlockEvent | BlocksCorrupt | TierStateChanged): void {
    const sequence = this.#sequence++
    for (const listener of this.#listeners) this.#guarded(() => listener({ ...event, sequence }))
  }

  /** Calls `listener` synchronously for every event; returns the unsubscribe function. */
  listen(listener: ManagerEventListener): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  /** All events from now on, until the signal aborts, the reader stops or the manager closes. A slow reader gets `missed` instead of a full memory. */
  async *read(signal?: AbortSignal): AsyncGenerator<ManagerEvent, void, void> {
    const buffer: ManagerEvent[] = []
    let missed = 0
    let wake = (): void => {}
    const unsubscribe = this.listen((event) => {
      if (buffer.length === BUFFERED_EVENTS_MAX) {
        buffer.shift()
        missed++
      }
      buffer.push(event)
      wake()
    })
    const stop = signal === undefined ? this.#ended.signal : AbortSignal.any([signal, this.#ended.signal])
    const onStop = (): void => wake()
    stop.addEventListener('abort', onStop)
    try {
      while (true) {
        const event = buffer.shift()
        if (event === undefined && stop.aborted) return
        if (event === undefined) await new Promise<void>((resolve) => (wake = resolve))
        else {
          if (missed > 0) yield { type: 'missed', count: missed, sequence: event.sequence }
          missed = 0
          yield event
        }
      }
    } finally {
      unsubscribe()
      stop.removeEventListener('abort', onStop)
    }
  }

  /** Ends every reader after the events it has not read yet. */
  close(): void {
    this.#ended.abort()
    this.#listeners.clear()
  }

  #guarded(deliver: () => void): void {
    try {
      deliver()
    } catch (error) {
      this.#logger.error(`An event listener threw; the event is lost for it: ${String(error)}`)
    }
  }
}

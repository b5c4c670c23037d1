import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger, TierName } from '@kvbm/core'
import { KvbmError } from '@kvbm/core'
import type { EventHub } from './event-hub.js'
import type { ReaderStore } from './reader-store.js'
import type { TierMap } from './tier-map.js'
import type { TierStore } from './tier-store.js'

/** Waits for so many milliseconds, or rejects when the signal aborts. Must not keep the process alive. */
export type Pause = (delayMs: number, signal: AbortSignal) => Promise<unknown>

export interface DiskRoleOptions {
  readonly store: ReaderStore
  readonly tiers: TierMap
  /** Opens the tier for writing. Rejects with `DirectoryLockedError` while another process has it. */
  readonly takeOver: () => Promise<TierStore<TierName>>
  /** Keeps `close()` of the manager waiting for work. */
  readonly track: <T>(work: Promise<T>) => Promise<T>
  readonly events: EventHub
  readonly logger: Logger
  /** Between two looks, on average: each pause is between half and one and a half of it, so that readers do not come in step. */
  readonly delayMs: number
  /** Aborted when the manager closes. */
  readonly closing: AbortSignal
  /** Default: the machine's timers. */
  readonly pause?: Pause
  /** A number from 0 to 1. Default `Math.random`. */
  readonly random?: () => number
}

/**
 * A disk tier that is read beside another process. From time to time it looks: if the writer is gone it takes over what it has open,
 * else it reads what was stored meanwhile. What was removed or replaced under it is nobody's to take over. Taking over gives the
 * tier a new pool, restored from the records; blocks that were found before stay with the reader, and copies of them end as reader
 * reads.
 */
export class DiskRole {
  readonly #options: DiskRoleOptions
  readonly #stopped: AbortSignal
  readonly #done = new AbortController()
  #lastLook: Promise<void> = Promise.resolve()
  #nextLook: Promise<void> | undefined
  #lastFailure = ''

  constructor(options: DiskRoleOptions) {
    this.#options = options
    this.#stopped = AbortSignal.any([options.closing, this.#done.signal])
  }

  /** Looks again and again until this process writes, or the manager closes. */
  async follow(): Promise<void> {
    const { delayMs, pause = unreferenced, random = Math.random } = this.#options
    while (!this.#stopped.aborted) {
      await pause(delayMs * (0.5 + random()), this.#stopped).catch(() => undefined)
      await this.look()
    }
  }

  /** No look begins any more. */
  stop(): void {
    this.#done.abort()
  }

  /** Takes over or reads what is new. Never rejects. Calls that come meanwhile share the next look. */
  look(): Promise<void> {
    this.#nextLook ??= this.#lastLook.then(() => {
      this.#nextLook = undefined
      return this.#stopped.aborted ? undefined : this.#options.track(this.#look())
    })
    this.#lastLook = this.#nextLook
    return this.#nextLook
  }

  async #look(): Promise<void> {
    const { reader } = this.#options.store
    if (!(await this.#tookOver())) await reader.refresh()
  }

  async #tookOver(): Promise<boolean> {
    const { store, takeOver } = this.#options
    try {
      if (!(await store.reader.isInPlace())) return false
      this.#swap(await takeOver())
      return true
    } catch (error) {
      if (!KvbmError.is(error, 'KVBM_DIRECTORY_LOCKED')) this.#failed(error)
      return false
    }
  }

  #swap(writer: TierStore<TierName>): void {
    const { tiers, events, logger } = this.#options
    tiers.replace('disk', writer)
    this.#done.abort()
    const { reason } = writer.role!
    events.emit({ type: 'tier-role', tier: 'disk', role: 'writer', reason })
    logger.info(`This process writes the disk tier from now on: ${reason}.`)
  }

  /** The same failure is told once. */
  #failed(error: unknown): void {
    const why = error instanceof Error ? error.message : String(error)
    if (why === this.#lastFailure || this.#options.closing.aborted) return
    this.#lastFailure = why
    this.#options.logger.warn(`The disk tier is still read only: taking over failed. ${why}`)
  }
}

function unreferenced(delayMs: number, signal: AbortSignal): Promise<unknown> {
  return sleep(delayMs, undefined, { signal, ref: false })
}

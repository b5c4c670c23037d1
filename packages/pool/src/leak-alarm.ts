import type { Grip } from './grip.js'
import type { PoolCounters } from './pool-counters.js'

/** 'off': handles are not watched. 'count': leaked blocks come back, counted, with one warning per kind. 'trace': per place. */
export type LeakMode = 'off' | 'count' | 'trace'

/** Places that are told apart in warnings; further leaks are only counted. */
const SITES_MAX = 256

/**
 * Notices handles that were garbage-collected before they were released, warns once per place, and gives their blocks back. The
 * registry holds grips, which cannot reach the handle. A block cannot be given back twice or by the wrong one: only a live
 * handle or this alarm closes a grip, and a closed grip does nothing. It is an alarm, never the plan: collection may come late.
 */
export class LeakAlarm {
  readonly #registry: FinalizationRegistry<Grip> | undefined
  readonly #trace: boolean
  readonly #counters: PoolCounters
  readonly #sites = new Set<string>()

  constructor(mode: LeakMode, counters: PoolCounters) {
    this.#registry = mode === 'off' ? undefined : new FinalizationRegistry((grip) => this.#leaked(grip))
    this.#trace = mode === 'trace'
    this.#counters = counters
  }

  watch(handle: object, grip: Grip): void {
    if (this.#registry === undefined || grip.count === 0) return
    this.#registry.register(handle, grip, grip)
    if (this.#trace) grip.site = stackOf(grip)
  }

  forget(grip: Grip): void {
    this.#registry?.unregister(grip)
  }

  /** Says that the pool was closed while blocks were held. */
  closedWith(held: number, handles: number): void {
    if (this.#registry === undefined) return
    warn(
      `A block pool was closed while ${held} blocks were held by ${handles} handles. Release handles before close().`,
    )
  }

  #leaked(grip: Grip): void {
    this.#counters.leaks++
    grip.release('the garbage collector')
    const site = grip.site ?? grip.handle
    if (this.#sites.has(site) || this.#sites.size >= SITES_MAX) return
    this.#sites.add(site)
    const remedy = this.#trace ? '' : " Pool option leaks: 'trace' shows where."
    warn(
      `${grip.handle} of ${grip.count} blocks was lost without release(). Its blocks were taken back.${remedy}`,
      grip.site,
    )
  }
}

function stackOf(grip: Grip): string {
  const holder: { stack?: string } = {}
  Error.captureStackTrace(holder)
  return (holder.stack ?? grip.handle).replace(/^Error\n/, '')
}

function warn(message: string, detail?: string): void {
  const options = { type: 'KvbmWarning', code: 'KVBM_BLOCK_LEAKED' }
  process.emitWarning(message, detail === undefined ? options : { ...options, detail })
}

import { type BlockHashes, KvbmError, type Logger, type TransferRuntime } from '@kvbm/core'
import { planCopy, planPieces } from '@kvbm/layout'
import type { ImmutableBlocks, MutableBlocks } from '@kvbm/pool'
import type { Counters, DropReason } from './counters.js'
import type { EventHub } from './event-hub.js'
import type { TierStore } from './tier.js'
import { type WaitOptions, within } from './within.js'

export interface Arrival {
  /** What is registered in the target tier now and held: the prefix before the first damaged block. */
  readonly blocks: ImmutableBlocks
  readonly bytes: number
}

export interface MoverOptions {
  readonly runtime: TransferRuntime
  readonly counters: Counters
  readonly events: EventHub
  readonly logger: Logger
  /** Sum and verify every block. */
  readonly integrity: boolean
  /** Longest wait for one copy; then its callers give up and what it touches stays held until it ends. */
  readonly transferDeadlineMs: number
}

/**
 * The commit protocol, the only way (besides reopening a disk) in which a block gets a name in a tier that did not compute it:
 * allocate → copy → status and checksum → register. Whatever fails before the last step leaves the target unregistered.
 */
export class Mover {
  readonly #options: MoverOptions
  readonly #running = new Set<Promise<unknown>>()

  constructor(options: MoverOptions) {
    this.#options = options
  }

  /** Copies still running, abandoned ones included. */
  get running(): number {
    return this.#running.size
  }

  /** Resolves when every copy that runs now has ended. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#running)
  }

  /** Resolves when nothing runs. */
  async idle(): Promise<void> {
    while (this.#running.size > 0) await this.settled()
  }

  /**
   * Copies `source` into `target` and registers what arrived whole. Consumes `target`; `source` stays the caller's.
   * Rejects with the error of the copy, `DeadlineError` or the signal's reason; then nothing is registered.
   */
  async move(
    from: TierStore,
    source: ImmutableBlocks,
    to: TierStore,
    target: MutableBlocks,
    wait: WaitOptions = {},
  ): Promise<Arrival> {
    const release = to.inFlight.claim(source.hashes)
    const held = source.retain()
    const work = this.#track(this.#commit(from, held, to, target)).finally(() => {
      held.release()
      target.release()
      release()
    })
    return this.#patiently(work, `Copying ${source.count} blocks from ${from.name} to ${to.name}`, wait)
  }

  /** Copies verified bytes of `source` into unnamed blocks (staging). Returns how many blocks, from the first on, are sound. */
  async fetch(
    from: TierStore,
    source: ImmutableBlocks,
    to: TierStore,
    target: MutableBlocks,
    wait: WaitOptions = {},
  ): Promise<number> {
    const held = source.retain()
    const work = this.#track(this.#copyVerified(from, held.ids, held.hashes, to, target.ids)).finally(() =>
      held.release(),
    )
    return this.#patiently(work, `Reading ${source.count} blocks from ${from.name}`, wait)
  }

  /** Registers staged blocks in `to`: the second half of a move through staging. Consumes `target`. */
  async land(
    staging: TierStore,
    staged: MutableBlocks,
    hashes: BlockHashes,
    to: TierStore,
    target: MutableBlocks,
    wait: WaitOptions = {},
  ): Promise<Arrival> {
    const release = to.inFlight.claim(hashes)
    const work = this.#track(this.#commitFrom(staging, staged.ids, hashes, to, target)).finally(() => {
      target.release()
      release()
    })
    return this.#patiently(work, `Copying ${hashes.count} staged blocks to ${to.name}`, wait)
  }

  /** A block did not fit its checksum: it is unmatchable at once, and its place is not used again. */
  quarantine(tier: TierStore, ids: Uint32Array, hashes: BlockHashes): void {
    if (tier.name === 'staging') return
    this.#options.counters.corrupt[tier.name] += ids.length
    this.#options.logger.warn(`${ids.length} damaged block(s) in the ${tier.name} tier were taken out of use.`)
    tier.pool.discard(ids, { reason: 'discarded', quarantine: true })
    this.#options.events.emit({ type: 'corrupt', tier: tier.name, hashes })
    if (tier.slots !== undefined)
      void this.#track(tier.slots.invalidate(ids)).catch((error) => this.reportFailure(tier, error))
  }

  /** Remembers that a tier failed; it goes on being tried. */
  reportFailure(tier: TierStore, error: unknown): void {
    if (tier.name === 'staging') return
    tier.lastError = error instanceof Error ? error.message : String(error)
    this.#setState(tier, 'degraded', tier.lastError)
  }

  reportSuccess(tier: TierStore): void {
    if (tier.state === 'degraded') this.#setState(tier, 'ok', '')
  }

  #setState(tier: TierStore, state: 'ok' | 'degraded', reason: string): void {
    if (tier.name === 'staging') return
    const changed = tier.state !== state
    tier.state = state
    tier.reason = reason
    if (!changed) return
    this.#options.events.emit({ type: 'tier-state', tier: tier.name, state, reason })
    if (state === 'degraded') this.#options.logger.warn(`The ${tier.name} tier is degraded: ${reason}`)
    else this.#options.logger.info(`The ${tier.name} tier works again.`)
  }

  async #commit(from: TierStore, source: ImmutableBlocks, to: TierStore, target: MutableBlocks): Promise<Arrival> {
    const sound = await this.#prepareAndCopy(from, source.ids, source.hashes, to, target.ids)
    return this.#register(from, source.ids, source.hashes.subarray(0, sound), to, target)
  }

  async #commitFrom(
    from: TierStore,
    ids: Uint32Array,
    hashes: BlockHashes,
    to: TierStore,
    target: MutableBlocks,
  ): Promise<Arrival> {
    const sound = await this.#prepareAndCopy(from, ids, hashes, to, target.ids)
    return this.#register(from, ids, hashes.subarray(0, sound), to, target)
  }

  async #prepareAndCopy(
    from: TierStore,
    ids: Uint32Array,
    hashes: BlockHashes,
    to: TierStore,
    targetIds: Uint32Array,
  ): Promise<number> {
    try {
      if (to.slots !== undefined) {
        await to.slots.reserve(targetIds)
        await to.slots.invalidate(targetIds)
      }
      return await this.#copyVerified(from, ids, hashes, to, targetIds)
    } catch (error) {
      this.reportFailure(to.onDisk ? to : from, error)
      throw error
    }
  }

  /** Record, then name: after a crash a slot either has its whole record or is free. */
  async #register(
    from: TierStore,
    ids: Uint32Array,
    hashes: BlockHashes,
    to: TierStore,
    target: MutableBlocks,
  ): Promise<Arrival> {
    const [arrived, lost] = target.split(hashes.count)
    lost.release()
    try {
      const checksums = Uint32Array.from(ids.subarray(0, hashes.count), (id) => from.checksumOf(id) ?? 0)
      const slots = arrived.ids.slice()
      await to.slots?.commit({ slots, hashes: hashes.words, checksums, ...chainOf(hashes) })
      const blocks = arrived.register(hashes, { duplicates: 'reject' })
      for (const [index, id] of slots.entries()) if (blocks.ids[index] === id) to.recordChecksum(id, checksums[index]!)
      this.reportSuccess(to)
      return { blocks, bytes: hashes.count * to.blockBytes }
    } catch (error) {
      arrived.release()
      this.reportFailure(to, error)
      throw error
    }
  }

  /**
   * One job: copies, and sums the bytes where they are in memory — what is read from a file after it arrived, else what is about
   * to be copied, so that a block is known by what its first tier held. Brought up from host to device, a known block is summed
   * after it arrived. Returns how many blocks, from the first on, are sound.
   */
  async #copyVerified(
    from: TierStore,
    ids: Uint32Array,
    hashes: BlockHashes,
    to: TierStore,
    targetIds: Uint32Array,
  ): Promise<number> {
    const sources = ids.subarray(0, targetIds.length)
    const { runs, bytes } = planCopy({ from: from.layout, fromIds: sources, to: to.layout, toIds: targetIds })
    const started = performance.now()
    if (!this.#options.integrity) {
      await this.#options.runtime.submit({ runs })
      this.#count(from, to, bytes, started)
      return sources.length
    }
    const when = arrivesInMemory(from, to, sources) ? 'after' : 'before'
    const pieces = when === 'after' ? planPieces(to.layout, targetIds) : planPieces(from.layout, sources)
    const sums = new Uint32Array(sources.length)
    await this.#options.runtime.submit({ runs, sums: { pieces, into: sums, when } })
    this.#count(from, to, bytes, started)
    const sound = this.#verify(from, sources, hashes, sums)
    if (to.name === 'staging')
      for (let index = 0; index < sound; index++) to.recordChecksum(targetIds[index]!, sums[index]!)
    return sound
  }

  #verify(from: TierStore, ids: Uint32Array, hashes: BlockHashes, sums: Uint32Array): number {
    let sound = ids.length
    for (let index = ids.length - 1; index >= 0; index--) {
      const known = from.checksumOf(ids[index]!)
      if (known === undefined) from.recordChecksum(ids[index]!, sums[index]!)
      else if (known !== sums[index]) {
        this.quarantine(from, ids.slice(index, index + 1), hashes.subarray(index, index + 1))
        sound = index
      }
    }
    return sound
  }

  #count(from: TierStore, to: TierStore, bytes: number, started: number): void {
    if (from.name === 'staging' || to.name === 'staging') return
    const edge = this.#options.counters.edge(from.name, to.name)
    edge.bytes += bytes
    edge.transfers++
    edge.seconds += (performance.now() - started) / 1000
  }

  #track<T>(work: Promise<T>): Promise<T> {
    const tracked = work.finally(() => this.#running.delete(tracked))
    this.#running.add(tracked)
    tracked.catch(() => {})
    return tracked
  }

  async #patiently<T extends Arrival | number>(work: Promise<T>, what: string, wait: WaitOptions): Promise<T> {
    const { transferDeadlineMs, counters } = this.#options
    const deadlineMs = Math.min(wait.deadlineMs ?? transferDeadlineMs, transferDeadlineMs)
    try {
      return await within(work, what, { signal: wait.signal, deadlineMs })
    } catch (error) {
      let settled = false
      work
        .then(
          (late) => typeof late === 'number' || late.blocks.release(),
          () => {},
        )
        .finally(() => (settled = true))
      await Promise.resolve()
      if (!settled) counters.abandoned++
      throw error
    }
  }
}

/** Whether the sums are taken of what arrived: nothing else can be summed of a file, and a known block is judged by its copy. */
function arrivesInMemory(from: TierStore, to: TierStore, ids: Uint32Array): boolean {
  if (from.onDisk) return true
  return from.name === 'host' && to.name === 'device' && ids.every((id) => from.checksumOf(id) !== undefined)
}

/** Positions and parents of a chain, as slot records want them. */
export function chainOf(hashes: BlockHashes): { positions: Uint32Array; parents: Uint32Array } {
  const positions = Uint32Array.from({ length: hashes.count }, (_, index) => hashes.start + index)
  return { positions, parents: hashes.backing.slice(0, hashes.count * 4) }
}

/** The drop reason for a failed background copy. */
export function dropReason(error: unknown): DropReason {
  return KvbmError.is(error, 'KVBM_CLOSED') ? 'closed' : 'io-error'
}

import { captureBlocks } from './capture-blocks.js'
import type { CaptureJob, CaptureSkip, Measured } from './capture-scheduler.js'
import type { ConnectorParts } from './connector-parts.js'
import type { CaptureOutcome, DeclineReason } from './engine-driver.js'
import { exactCaptureEnd } from './exact-prefix.js'
import type { SeenPrompt } from './prompt-memory.js'
import type { CaptureRange, CaptureReport } from './session-types.js'

export interface SessionCapturesOptions<Slot> {
  readonly parts: ConnectorParts<Slot>
  readonly tenant: string | undefined
  readonly exact: boolean
  readonly prompt: Uint32Array
  readonly seen: SeenPrompt
  readonly decline: (reason: DeclineReason) => void
}

/** What one capture copies: whole blocks of `tokens` up to `toBlock`. */
interface Extent<Slot> {
  readonly tokens: Uint32Array
  readonly toBlock: number
  /** Blocks the engine saves for it. */
  readonly saveBlocks: number
  /** Blocks by which a hit must become longer. */
  readonly gainMin: number
  readonly slot: Slot
}

/** A save of a whole sequence pays when a hit becomes longer by so much of it; what is less is taken with the next one that pays. */
const GAIN_MIN = 1 / 16

/** The captures of one session: which tokens may be captured, and what became of it. */
export class SessionCaptures<Slot> {
  readonly #options: SessionCapturesOptions<Slot>
  #report: CaptureReport = Object.freeze({ state: 'none', storedBlocks: 0, stallMs: 0, savedBytes: 0 })
  #pending = 0
  #shifted = false
  /** Whether no other request was in the context while the prompt was evaluated. */
  #alone = true
  readonly #settled = new Set<() => void>()

  constructor(options: SessionCapturesOptions<Slot>) {
    this.#options = options
  }

  get report(): CaptureReport {
    return this.#report
  }

  contextShifted(): void {
    this.#shifted = true
  }

  prefilled({ alone }: { readonly alone: boolean }): void {
    this.#alone = alone
  }

  offer(range: CaptureRange, slot: Slot): void {
    const { scheduler } = this.#options.parts
    const job = this.#job(this.#extent(range, slot))
    const obstacle = this.#obstacle
    if (obstacle !== undefined) {
      if (obstacle === 'context-shift') this.#options.decline(obstacle)
      job.skip(obstacle)
      return
    }
    this.#report = { ...this.#report, state: 'queued' }
    if (range.early === true) scheduler.offerEarly(job)
    else scheduler.offer(job)
  }

  /** Resolves when no capture waits or runs. */
  async settled(): Promise<CaptureReport> {
    while (this.#pending > 0) await new Promise<void>((resolve) => this.#settled.add(resolve))
    return this.#report
  }

  /** In exact mode rows of several requests in one batch are computed in other groups than a cold run has. */
  get #obstacle(): 'context-shift' | 'not-alone' | undefined {
    const { exact, parts } = this.#options
    if (this.#shifted) return 'context-shift'
    return exact && parts.exactRule.minRows > 0 && !this.#alone ? 'not-alone' : undefined
  }

  /** Tokens that may be captured: never more than what prefixes name, and in exact mode only what a cold run computes alike. */
  #end({ to }: CaptureRange, tokens: Uint32Array): number {
    const { parts, exact, prompt } = this.#options
    const withAnswer = parts.generated && !exact
    const most = Math.min(to ?? tokens.length, tokens.length, withAnswer ? tokens.length : prompt.length)
    return exact ? Math.min(most, exactCaptureEnd(prompt.length, parts.exactRule)) : most
  }

  #extent(range: CaptureRange, slot: Slot): Extent<Slot> {
    const { driver, pageSize } = this.#options.parts
    const tokens = range.tokens?.slice() ?? this.#options.prompt
    const toBlock = Math.floor(this.#end(range, tokens) / pageSize)
    const whole = driver.capabilities.capture === 'whole-sequence'
    const saveBlocks = whole ? Math.ceil(tokens.length / pageSize) : toBlock
    const gainMin = whole && range.complete !== true ? Math.ceil(saveBlocks * GAIN_MIN) : 1
    return { tokens, toBlock, saveBlocks, gainMin, slot }
  }

  #job(extent: Extent<Slot>): CaptureJob {
    const { store } = this.#options.parts
    const letGo = store.retain()
    this.#pending++
    return {
      bytes: extent.saveBlocks * store.blockBytes,
      run: (signal) => this.#run(extent, signal).finally(() => this.#done(letGo)),
      skip: (reason) => {
        this.#skipped(reason)
        this.#done(letGo)
      },
    }
  }

  #done(letGo: () => void): void {
    letGo()
    this.#pending--
    for (const resolve of this.#settled) resolve()
    this.#settled.clear()
  }

  async #run(extent: Extent<Slot>, signal: AbortSignal): Promise<Measured | undefined> {
    try {
      const outcome = await this.#copy(extent, signal)
      if (typeof outcome !== 'string') return this.#stored(outcome, extent.toBlock)
      this.#skipped(outcome)
    } catch (error) {
      const { logger } = this.#options.parts
      if (!signal.aborted) logger.warn(`Capturing failed, nothing was stored: ${String(error)}`)
      this.#skipped(signal.aborted ? 'closed' : 'failed')
    }
    return undefined
  }

  async #copy(extent: Extent<Slot>, signal: AbortSignal): Promise<CaptureOutcome | CaptureSkip> {
    const { tokens, toBlock } = extent
    const { tenant, exact } = this.#options
    const { driver, scratch, ready, saltOptions } = this.#options.parts
    if (toBlock === 0) return 'nothing-new'
    const manager = await ready()
    if (manager === undefined) return 'no-cache'
    const hashes = manager.hash(tokens, saltOptions({ tenant, exact })).subarray(0, toBlock)
    const outcome = await captureBlocks({ ...extent, driver, manager, scratch, hashes, signal })
    if (outcome === 'nothing-new') this.#known(toBlock)
    return outcome
  }

  #stored({ stored, stallMs, savedBytes, declined, slotMoved }: CaptureOutcome, toBlock: number): Measured {
    const { parts, decline } = this.#options
    parts.counters.stallMs += stallMs
    parts.counters.savedBytes += savedBytes
    if (declined !== undefined) decline(declined.reason)
    if (declined !== undefined || slotMoved === true) this.#skipped(declined === undefined ? 'slot-moved' : 'declined')
    else this.#captured({ stored, stallMs, savedBytes }, toBlock)
    return { savedBytes, stallMs }
  }

  #captured({ stored, stallMs, savedBytes }: CaptureOutcome, toBlock: number): void {
    const { counters } = this.#options.parts
    counters.captures++
    counters.capturedBlocks += stored
    this.#known(toBlock)
    const before = this.#report
    this.#report = {
      state: 'stored',
      storedBlocks: before.storedBlocks + stored,
      stallMs: before.stallMs + stallMs,
      savedBytes: before.savedBytes + savedBytes,
    }
  }

  #known(toBlock: number): void {
    const { seen, parts } = this.#options
    seen.storedTokens = Math.max(seen.storedTokens, toBlock * parts.pageSize)
  }

  #skipped(reason: CaptureSkip): void {
    this.#options.parts.counters.skipped(reason)
    const state = this.#report.storedBlocks > 0 ? 'stored' : 'skipped'
    this.#report = { ...this.#report, state, reason }
  }
}

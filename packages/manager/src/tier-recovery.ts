import type { TierName } from '@kvbm/core'
import { ExponentialBackoff, halfJitterGenerator, type IBackoff } from 'cockatiel'
import { DOINGS, type Doing, type TierStore } from './tier-store.js'

/** Calls `act` once after `delayMs`; returns how to take that back. Must not keep the process alive. */
export type Schedule = (delayMs: number, act: () => void) => () => void

export interface TierRecoveryOptions {
  /** Tries whether the tier does this again, with real work on it; rejects with what is wrong. */
  readonly probe: (tier: TierStore<TierName>, doing: Doing) => Promise<void>
  /** Told when that went well. */
  readonly works: (tier: TierStore<TierName>, doing: Doing) => void
  /** The first pause before a probe; each further one is twice as long, up to `delayMaxMs`, of which between half and all is waited. */
  readonly delayMs: number
  readonly delayMaxMs: number
  /** Default: the machine's timers. */
  readonly schedule?: Schedule
}

/** What is known of a tier that failed, until it has done again what it failed to do. */
interface Patient {
  /** The pause before the next probe, which knows the one after it. */
  pause: IBackoff<unknown>
  /** What failed and has not been done by a real copy since: until then pauses go on growing. */
  readonly unproven: Set<Doing>
  /** Takes back the probe that is scheduled. */
  cancel: (() => void) | undefined
}

/**
 * Probes tiers that failed, after growing pauses with jitter, until they work. Invariant: a tier that failed has either one probe
 * scheduled or one running, never more, so a probe that hangs is not followed by another.
 */
export class TierRecovery {
  readonly #options: TierRecoveryOptions
  readonly #schedule: Schedule
  readonly #pauses: ExponentialBackoff<number>
  readonly #patients = new Map<TierStore<TierName>, Patient>()
  readonly #probing = new Set<TierStore<TierName>>()
  #isClosed = false

  constructor(options: TierRecoveryOptions) {
    const { delayMs: initialDelay, delayMaxMs: maxDelay, schedule = unreferenced } = options
    this.#options = options
    this.#schedule = schedule
    this.#pauses = new ExponentialBackoff({ initialDelay, maxDelay, generator: halfJitterGenerator })
  }

  /** The tier failed. */
  failed(tier: TierStore<TierName>, doing: readonly Doing[]): void {
    const patient = this.#patients.get(tier) ?? { pause: this.#pauses.next(), unproven: new Set(), cancel: undefined }
    this.#patients.set(tier, patient)
    for (const one of doing) patient.unproven.add(one)
    this.#arrange(tier, patient)
  }

  /** A real copy went well. Forgets the tier where that was all it had failed to do. */
  worked(tier: TierStore<TierName>, doing: Doing): void {
    const patient = this.#patients.get(tier)
    if (patient === undefined) return
    patient.unproven.delete(doing)
    if (patient.unproven.size > 0) return
    patient.cancel?.()
    this.#patients.delete(tier)
  }

  /** No probe begins any more. */
  close(): void {
    this.#isClosed = true
    for (const { cancel } of this.#patients.values()) cancel?.()
    this.#patients.clear()
  }

  #arrange(tier: TierStore<TierName>, patient: Patient): void {
    if (this.#isClosed || patient.cancel !== undefined || this.#probing.has(tier)) return
    patient.cancel = this.#schedule(patient.pause.duration, () => {
      patient.cancel = undefined
      void this.#probe(tier)
    })
    patient.pause = patient.pause.next(undefined)
  }

  /** Never rejects. */
  async #probe(tier: TierStore<TierName>): Promise<void> {
    if (isWell(tier)) return
    this.#probing.add(tier)
    tier.probes++
    for (const doing of DOINGS) if (tier.failures.has(doing)) await this.#try(tier, doing)
    this.#probing.delete(tier)
    const patient = this.#patients.get(tier)
    if (patient !== undefined && !isWell(tier)) this.#arrange(tier, patient)
  }

  /** Never rejects. What fails here leaves the other as it is: a full disk can be read. */
  async #try(tier: TierStore<TierName>, doing: Doing): Promise<void> {
    if (this.#isClosed) return
    const { probe, works } = this.#options
    try {
      await probe(tier, doing)
      if (!this.#isClosed) works(tier, doing)
    } catch (error) {
      tier.lastError = error instanceof Error ? error.message : String(error)
    }
  }
}

function isWell({ state }: TierStore): boolean {
  return state === 'ok'
}

function unreferenced(delayMs: number, act: () => void): () => void {
  const timer = setTimeout(act, delayMs)
  timer.unref()
  return () => clearTimeout(timer)
}

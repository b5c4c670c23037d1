import { type Clock, systemClock } from '../clock.js'
import type { KvSupport } from '../engine-driver.js'
import { Mutex } from '../mutex.js'
import { Gate } from './gate.js'
import { MemoryModel } from './memory-model.js'
import { MemorySlot } from './memory-slot.js'

/** Size and habits of the in-memory engine. */
export interface MemoryEngineOptions {
  /** Another seed is another model. Default 1. */
  readonly seed?: number
  readonly numLayers?: number
  readonly outerDim?: 1 | 2
  /** Bytes of a token in one layer and outer entry. Default 64. */
  readonly rowBytes?: number
  /** Tokens a slot can hold. Default 4096. */
  readonly capacityTokens?: number
  /** Batches of fewer rows give other bytes, as some engines' do. Default 0: they do not. */
  readonly minRows?: number
  /** Default 512. */
  readonly batchTokens?: number
  readonly clock?: Clock
  /** Called while the engine works, for example to let the time of a `ManualClock` pass. */
  readonly working?: ((kind: 'evaluate' | 'save' | 'load', tokens: number) => void) | undefined
}

/** What can be made to go wrong, at any time. */
export interface MemoryEngineFaults {
  /** Changes a state on its way out of the engine, or into it: the array may be returned shorter. */
  damageSaved?: ((state: Uint8Array) => Uint8Array) | undefined
  damageLoaded?: ((state: Uint8Array) => Uint8Array) | undefined
  /** The engine's save throws this. */
  saveFails?: Error | undefined
  /** The engine's load throws this. */
  loadFails?: Error | undefined
  support?: Extract<KvSupport, { ok: false }> | undefined
}

/**
 * An inference engine without inference: its KV bytes are a pure function of the tokens before them, so a restore can be compared with
 * a computation byte by byte. One lock over all slots, as in real engines: a save stops everything else.
 */
export class MemoryEngine {
  readonly numLayers: number
  readonly outerDim: 1 | 2
  readonly rowBytes: number
  readonly capacityTokens: number
  readonly minRows: number
  readonly batchTokens: number
  readonly seed: number
  readonly clock: Clock
  readonly faults: MemoryEngineFaults = {}
  /** Stands in front of every save, inside the lock. */
  readonly saveGate = new Gate()
  /** Stands in front of every load, inside the lock. */
  readonly loadGate = new Gate()
  readonly #model: MemoryModel
  readonly #working: NonNullable<MemoryEngineOptions['working']>
  readonly #lock = new Mutex()
  #evaluated = 0
  #saves = 0

  constructor(options: MemoryEngineOptions = {}) {
    this.seed = options.seed ?? 1
    this.numLayers = options.numLayers ?? 2
    this.outerDim = options.outerDim ?? 2
    this.rowBytes = options.rowBytes ?? 64
    this.capacityTokens = options.capacityTokens ?? 4096
    this.minRows = options.minRows ?? 0
    this.batchTokens = options.batchTokens ?? 512
    this.clock = options.clock ?? systemClock
    this.#working = options.working ?? (() => {})
    this.#model = new MemoryModel({ seed: this.seed, minRows: this.minRows, batchTokens: this.batchTokens })
  }

  get regions(): number {
    return this.numLayers * this.outerDim
  }

  /** Tokens really evaluated so far: the proof of reuse. */
  get evaluatedTokens(): number {
    return this.#evaluated
  }

  get saves(): number {
    return this.#saves
  }

  /** An empty sequence. */
  slot(): MemorySlot {
    const { regions, rowBytes, capacityTokens } = this
    return new MemorySlot({ regions, rowBytes, capacityTokens })
  }

  /** Appends tokens; `cuts` are indices in the slot at which a batch must end. */
  async evaluate(slot: MemorySlot, tokens: Uint32Array, cuts: readonly number[] = []): Promise<void> {
    await this.#lock.run(async () => {
      const begin = slot.length
      const ends = [...cuts.filter((cut) => cut > begin && cut < begin + tokens.length), begin + tokens.length]
      let at = begin
      for (const end of ends) {
        this.#model.evaluate(slot, tokens.subarray(at - begin, end - begin))
        at = end
      }
      this.#evaluated += tokens.length
      this.#working('evaluate', tokens.length)
    })
  }

  /** Depends on every byte of the slot. */
  logits(slot: MemorySlot): number {
    return this.#model.logits(slot)
  }

  /** Runs `act` while nothing else of the engine runs. */
  exclusively<T>(act: () => Promise<T>): Promise<T> {
    return this.#lock.run(act)
  }

  /** What a save does before it copies: passes the gate, or fails. */
  async beginSave(tokens: number): Promise<void> {
    await this.saveGate.pass()
    this.#saves++
    this.#working('save', tokens)
    if (this.faults.saveFails !== undefined) throw this.faults.saveFails
  }

  async beginLoad(tokens: number): Promise<void> {
    await this.loadGate.pass()
    this.#working('load', tokens)
    if (this.faults.loadFails !== undefined) throw this.faults.loadFails
  }
}

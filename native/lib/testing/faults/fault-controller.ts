import { type Fault, type FaultCode, type FaultTarget, lostDevice, type Touch } from './fault.js'
import { Hold, isMeant } from './hold.js'

interface Rule {
  readonly target: FaultTarget
  readonly fault: Fault
  passes: number
  left: number
}

/** Says which accesses of a binding fail, and how. A test tool: see `withFaults`. */
export class FaultController {
  readonly #rules = new Set<Rule>()
  readonly #holds = new Set<Hold>()
  readonly #lost = new Set<number>()
  #injected = 0

  /** Faults that happened so far. */
  get injected(): number {
    return this.#injected
  }

  /** The access does nothing and fails as the system would: `StorageIoError` or, without space, `StorageFullError`. */
  fail(target: FaultTarget & { readonly code: FaultCode }): void {
    this.#add(target, { kind: 'error', code: target.code })
  }

  /** Only the first `bytes` of an access happen, then it fails: a torn write, a read that ends early. */
  cutShort(target: FaultTarget & { readonly bytes: number }): void {
    this.#add(target, { kind: 'short', bytes: target.bytes })
  }

  /** One bit arrives wrong, and nobody says so. `bit` counts from the first byte of the access; default 0. */
  flipBit(target: FaultTarget & { readonly bit?: number }): void {
    this.#add(target, { kind: 'flip', bit: target.bit ?? 0 })
  }

  /** Stops these accesses until the hold is released. */
  hold(target: Pick<FaultTarget, 'region' | 'operation'> = {}): Hold {
    const hold = new Hold(target)
    this.#holds.add(hold)
    return hold
  }

  /** From now on every access to the region fails: the device fell off the bus. */
  lose(region: number): void {
    this.#lost.add(region)
  }

  /** Releases all holds. */
  release(): void {
    for (const hold of this.#holds) hold.release()
    this.#holds.clear()
  }

  /** Forgets all faults, gives lost devices back and releases all holds. */
  clear(): void {
    this.#rules.clear()
    this.#lost.clear()
    this.release()
  }

  /** Used by the binding. Resolves when nothing holds the access up; undefined when nothing ever did. */
  heldUp(touches: readonly Touch[], job?: string): Promise<void> | undefined {
    for (const hold of this.#holds) {
      const stopped = hold.stop(touches, job)
      if (stopped !== undefined) return stopped.then(() => this.heldUp(touches, job))
    }
    return undefined
  }

  /** Used by the binding. True when the job was held up; it rejects then. */
  cancel(job: string): boolean {
    for (const hold of this.#holds) if (hold.cancel(job)) return true
    return false
  }

  /** Used by the binding. The fault of this access, if it has one. Throws when its device is lost. */
  take(touches: readonly Touch[]): Fault | undefined {
    for (const { region } of touches)
      if (region !== undefined && this.#lost.has(region)) throw this.#count(lostDevice(region))
    for (const rule of this.#rules) {
      if (touches.some((touch) => applies(rule, touch)) && this.#isDue(rule)) return this.#count(rule.fault)
    }
    return undefined
  }

  #add(target: FaultTarget, fault: Fault): void {
    this.#rules.add({ target, fault, passes: target.after ?? 0, left: target.times ?? 1 })
  }

  #isDue(rule: Rule): boolean {
    if (rule.passes-- > 0) return false
    if (--rule.left <= 0) this.#rules.delete(rule)
    return true
  }

  #count<T>(what: T): T {
    this.#injected++
    return what
  }
}

/** Only what moves bytes can be cut or damaged. */
function applies({ target, fault }: Rule, touch: Touch): boolean {
  const moves = touch.operation === 'read' || touch.operation === 'write'
  return isMeant(target, touch) && (fault.kind === 'error' || moves)
}

/** What a simulated `setTimeout` gives; `clearTimeout` is its `cancel`. */
export class SimulatedTimer {
  readonly cancel: () => void

  constructor(cancel: () => void) {
    this.cancel = cancel
  }

  /** A simulation ends when it is over, not when nothing keeps it alive. */
  ref(): this {
    return this
  }

  unref(): this {
    return this
  }

  hasRef(): boolean {
    return true
  }

  [Symbol.dispose](): void {
    this.cancel()
  }
}

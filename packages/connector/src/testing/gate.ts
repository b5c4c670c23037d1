/** A gate in the way of something asynchronous: open at first; closed, it holds up whoever comes, and tells how many wait. */
export class Gate {
  #waiters: (() => void)[] = []
  #arrivals: (() => void)[] = []
  #closed = false

  close(): void {
    this.#closed = true
  }

  /** Lets everybody through. */
  open(): void {
    this.#closed = false
    for (const pass of this.#waiters.splice(0)) pass()
  }

  /** Passes the gate, or waits in front of it. */
  async pass(): Promise<void> {
    if (!this.#closed) return
    await new Promise<void>((resolve) => {
      this.#waiters.push(resolve)
      for (const arrived of this.#arrivals.splice(0)) arrived()
    })
  }

  /** Resolves when somebody waits in front of the closed gate. */
  async reached(): Promise<void> {
    if (this.#waiters.length > 0) return
    await new Promise<void>((resolve) => this.#arrivals.push(resolve))
  }
}

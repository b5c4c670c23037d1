/** Copies that go on into the blocks of one handle: from the beginning of the first until the end of the last. */
export class Filling {
  readonly ended: Promise<void>
  #end = (): void => {}
  #copies = 0

  constructor() {
    this.ended = new Promise((resolve) => {
      this.#end = resolve
    })
  }

  enter(): void {
    this.#copies++
  }

  /** Returns whether this was the last one. */
  leave(): boolean {
    this.#copies--
    if (this.#copies === 0) this.#end()
    return this.#copies === 0
  }
}

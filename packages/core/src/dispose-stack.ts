/** What `close()` must undo: run in reverse order, every one, all errors gathered. Node 20 has no AsyncDisposableStack. */
export class DisposeStack {
  readonly #undo: Array<() => void | Promise<void>> = []

  /** Remembers how to undo something. */
  defer(undo: () => void | Promise<void>): void {
    this.#undo.push(undo)
  }

  /** Takes ownership of something closable, and returns it. */
  use<T extends { close(): void | Promise<void> }>(resource: T): T {
    this.defer(() => resource.close())
    return resource
  }

  /** Undoes everything in reverse order. Throws the one error, or an `AggregateError` of all. Idempotent. */
  async close(): Promise<void> {
    const errors: unknown[] = []
    for (let undo = this.#undo.pop(); undo !== undefined; undo = this.#undo.pop()) {
      try {
        await undo()
      } catch (error) {
        errors.push(error)
      }
    }
    if (errors.length === 1) throw errors[0]
    if (errors.length > 1) throw new AggregateError(errors, `${errors.length} resources failed to close`)
  }
}

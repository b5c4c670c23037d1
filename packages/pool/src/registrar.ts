/**
 * Who alone gives the blocks of a pool their names, because a name must be written down before it is found. It is known by its
 * identity: whoever shows it to `register` may name blocks; everybody else is told the remedy.
 */
export interface Registrar {
  /** A sentence that says what to call instead. */
  readonly remedy: string
}

/** Throws `TypeError` unless the pool has no registrar or is shown its own. */
export function expectRegistrar(by: string, own: Registrar | undefined, shown?: Registrar): void {
  if (own === undefined || own === shown) return
  throw new TypeError(`${by}: handles of this pool do not give names by themselves. ${own.remedy}`)
}

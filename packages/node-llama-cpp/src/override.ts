/** Puts methods over an object's own, on this object only, so that it stays what it is for everybody who has it. */
export function override<T extends object>(target: T, methods: Partial<T>): void {
  for (const [name, value] of Object.entries(methods))
    Object.defineProperty(target, name, { value, writable: true, configurable: true, enumerable: false })
}

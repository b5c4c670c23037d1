import type { Binding } from '@kvbm/native'

/** Every method as a property of its own, so that some can be replaced: those of the addon are not enumerable. */
export function boundMethods(inner: Binding): Binding {
  const methods = new Map<string, unknown>()
  for (
    let level: object | null = inner;
    level !== null && level !== Object.prototype;
    level = Object.getPrototypeOf(level)
  ) {
    for (const name of Object.getOwnPropertyNames(level)) {
      const member: unknown = Reflect.get(inner, name)
      if (typeof member === 'function' && name !== 'constructor' && !methods.has(name))
        methods.set(name, member.bind(inner))
    }
  }
  return Object.fromEntries(methods) as unknown as Binding
}

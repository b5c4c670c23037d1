import type { Binding } from '@kvbm/native'

/** A binding that does some things in another way. */
export function overriding(binding: Binding, changes: Partial<Binding>): Binding {
  const methods = methodsOf(binding).map((name) => {
    const method = binding[name] as (...args: never[]) => unknown
    return [name, method.bind(binding)]
  })
  return { ...(Object.fromEntries(methods) as Binding), ...changes }
}

/** Of a class, or of what this module made. */
function methodsOf(binding: Binding): Array<keyof Binding> {
  const prototype = Object.getPrototypeOf(binding) as object
  const names = prototype === Object.prototype ? Object.keys(binding) : Object.getOwnPropertyNames(prototype)
  return names as Array<keyof Binding>
}

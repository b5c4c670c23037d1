export { type BindingConformanceOptions, bindingConformance } from './binding-conformance.js'
export type { ConformanceCase } from './conformance-case.js'

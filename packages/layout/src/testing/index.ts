export { ArrayStorage, type ArrayStorageOptions } from './array-storage.js'
export { executePlan } from './execute-plan.js'
export { type ConformanceCase, type LayoutConformanceOptions, layoutConformance } from './layout-conformance.js'

export {
  type AllocatorConformanceOptions,
  allocatorConformance,
  type ConformanceCase,
} from './allocator-conformance.js'

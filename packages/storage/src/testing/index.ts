export {
  type AllocatorConformanceOptions,
  allocatorConformance,
  type ConformanceCase,
} from './allocator-conformance.js'
export { type SimulatedHardware, type SimulatedHardwareOptions, simulatedHardware } from './simulated-hardware.js'

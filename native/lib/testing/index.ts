export { type BindingConformanceOptions, bindingConformance } from './binding-conformance.js'
export type { ConformanceCase } from './conformance-case.js'
export type { FaultCode, FaultOperation, FaultTarget } from './faults/fault.js'
export type { FaultController } from './faults/fault-controller.js'
export type { Hold } from './faults/hold.js'
export type { FileContent, PowerCut } from './machine/file-content.js'
export type { Scheduler } from './machine/scheduler.js'
export { SeededRandom } from './machine/seeded-random.js'
export type { SimulatedDisk } from './machine/simulated-disk.js'
export type { SimulatedFiles, SimulatedStats } from './machine/simulated-files.js'
export {
  SimulatedMachine,
  type SimulatedMachineOptions,
  SimulationStalledError,
  type StartedProcess,
} from './machine/simulated-machine.js'
export type { SimulatedProcess, Stalls } from './machine/simulated-process.js'
export type { SimulatedTimer } from './machine/simulated-timer.js'
export { withFaults } from './with-faults.js'

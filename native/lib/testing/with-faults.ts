import type { Binding } from '../binding.js'
import { FaultController } from './faults/fault-controller.js'
import { FaultyBinding } from './faults/faulty-binding.js'

/**
 * A simulated device and disk, **for tests only**: a binding that works like the given one, and a controller that makes it fail on
 * purpose: errors, full disks, torn writes, flipped bits, slow and lost devices. Everything else is real: bytes lie in the
 * memory and in the files of the given binding.
 *
 * ```ts
 * const { binding, faults } = withFaults(createPortableBinding())
 * faults.fail({ region: file, operation: 'write', code: 'ENOSPC' })
 * ```
 */
export function withFaults(binding: Binding): { binding: Binding; faults: FaultController } {
  const faults = new FaultController()
  return { binding: new FaultyBinding(binding, faults), faults }
}

import type { Binding } from '../binding.js'
import { argumentCases } from './conformance/argument-cases.js'
import { cancelCases } from './conformance/cancel-cases.js'
import { closeCases } from './conformance/close-cases.js'
import { copyCases } from './conformance/copy-cases.js'
import { fileCases } from './conformance/file-cases.js'
import { hashCases } from './conformance/hash-cases.js'
import { lockCases, processLockCases, whyNoProcessLock } from './conformance/lock-cases.js'
import { memoryCases } from './conformance/memory-cases.js'
import { posixFileCases, whyNoPosixFiles } from './conformance/posix-file-cases.js'
import { recoveryCases } from './conformance/recovery-cases.js'
import { slotCases } from './conformance/slot-cases.js'
import { sumCases } from './conformance/sum-cases.js'
import { transposeCases } from './conformance/transpose-cases.js'
import { windowCases } from './conformance/window-cases.js'
import type { CaseTable, ConformanceCase } from './conformance-case.js'
import { ConformanceWorld } from './conformance-world.js'

/** What the suite needs of the machine. */
export interface BindingConformanceOptions {
  /** An existing directory, for files that the cases make and leave. */
  readonly tempDirectory: string
}

/**
 * What every implementation of `Binding` has to do; one suite for the native core, its portable twin and whatever wraps them.
 * Each case makes its world with `make()` and ends it.
 */
export function bindingConformance(make: () => Binding, options: BindingConformanceOptions): ConformanceCase[] {
  const casesOf = (table: CaseTable, skip?: string): ConformanceCase[] =>
    Object.entries(table).map(([name, check]) => ({
      name,
      ...(skip === undefined ? {} : { skip }),
      async run() {
        await using world = new ConformanceWorld(make(), options.tempDirectory)
        await check(world)
      },
    }))
  const everywhere = [
    memoryCases,
    windowCases,
    copyCases,
    transposeCases,
    sumCases,
    fileCases,
    slotCases,
    recoveryCases,
    hashCases,
    cancelCases,
    closeCases,
    lockCases,
    argumentCases,
  ]
  return [
    ...everywhere.flatMap((table) => casesOf(table)),
    ...casesOf(posixFileCases, whyNoPosixFiles()),
    ...casesOf(processLockCases, whyNoProcessLock()),
  ]
}

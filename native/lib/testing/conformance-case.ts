import type { ConformanceWorld } from './conformance-world.js'

/** One sentence that must hold, and the examination. For any test runner: `for (const c of cases) test(c.name, c.run)`. */
export interface ConformanceCase {
  readonly name: string
  /** Why it cannot be examined on this machine. */
  readonly skip?: string
  run(): Promise<void>
}

/** Examinations by the sentence that must hold. */
export type CaseTable = Readonly<Record<string, (world: ConformanceWorld) => void | Promise<void>>>

import { join } from 'node:path'
import { ROOT } from './checkout.mjs'
import { makeReady } from './make-ready.mjs'
import { runProgram } from './processes.mjs'
import { quietStep, StepFailed } from './step.mjs'

const VITEST = join(ROOT, 'node_modules', 'vitest', 'vitest.mjs')

/** Every test of every package, then those of the C++ core; with arguments, what vitest makes of them. Gives the exit code. */
export async function runTests(args) {
  const { env } = await makeReady()
  const { code, interrupted } = await runProgram([VITEST, 'run', ...args], env)
  if (interrupted || args.length > 0) return code
  return (await coreTestsPass()) ? code : 1
}

async function coreTestsPass() {
  try {
    const log = await quietStep({
      title: 'Testing the C++ core under sanitizers (the first time it is compiled for each)',
      name: 'core-tests',
      args: [join(ROOT, 'native', 'scripts', 'test-core.mjs')],
      remedy: () => 'One preset alone: `node native/scripts/test-core.mjs asan`.',
    })
    for (const line of log.filter((line) => /^──|^SKIPPED|tests passed/.test(line))) console.error(`  ${line}`)
    return true
  } catch (error) {
    if (!(error instanceof StepFailed) || error.exitCode !== 1) throw error
    console.error(error.message)
    return false
  }
}

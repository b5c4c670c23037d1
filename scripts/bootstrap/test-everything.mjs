import { join } from 'node:path'
import { ROOT } from './checkout.mjs'
import { makeReady } from './make-ready.mjs'
import { runProgram } from './processes.mjs'
import { quietStep, StepFailed } from './step.mjs'

const VITEST = join(ROOT, 'node_modules', 'vitest', 'vitest.mjs')

/**
 * Every test of every package, then those of the C++ core, then its fuzzer for some seconds; with arguments, what vitest makes of
 * them. Gives the exit code.
 */
export async function runTests(args) {
  const { env } = await makeReady()
  const { code, interrupted } = await runProgram([VITEST, 'run', ...args], env)
  if (interrupted || args.length > 0) return code
  const passed = [await stepPasses(CORE_TESTS), await stepPasses(FUZZING)]
  return passed.includes(false) ? 1 : code
}

const CORE_TESTS = {
  title: 'Testing the C++ core under sanitizers (the first time it is compiled for each)',
  name: 'core-tests',
  args: [join(ROOT, 'native', 'scripts', 'test-core.mjs')],
  remedy: () => 'One preset alone: `node native/scripts/test-core.mjs asan`.',
}

const FUZZING = {
  title: 'Fuzzing what reads from disk (the first time it is compiled for that)',
  name: 'fuzzing',
  args: [join(ROOT, 'native', 'scripts', 'fuzz.mjs'), '--seconds', '5'],
  remedy: () => 'Alone and for longer: `node native/scripts/fuzz.mjs --seconds 60`.',
}

async function stepPasses(step) {
  try {
    const log = await quietStep(step)
    for (const line of log.filter((line) => /^──|^SKIPPED|tests passed|^Done/.test(line))) console.error(`  ${line}`)
    return true
  } catch (error) {
    if (!(error instanceof StepFailed) || error.exitCode !== 1) throw error
    console.error(error.message)
    return false
  }
}

import { makeReady } from './make-ready.mjs'
import { runProgram } from './processes.mjs'
import { StepFailed } from './step.mjs'
import { runTests } from './test-everything.mjs'

const USAGE = 'Usage: node scripts/bootstrap.mjs demo|test|bench|simulate [arguments…]'

const COMMANDS = {
  demo: (args) => runBuilt('@kvbm/demo', 'apps/demo/dist/main.js', args),
  bench: (args) => runBuilt('@kvbm/bench', 'bench/dist/main.js', args),
  simulate: (args) => runBuilt('@kvbm/simulation', 'simulation/dist/main.js', args),
  test: runTests,
}

/** Runs a command and sets the exit code. Whatever fails is told in words, never as a stack trace. */
export async function main([command, ...args]) {
  if (!Object.hasOwn(COMMANDS, command ?? '')) {
    console.error(USAGE)
    process.exitCode = 2
    return
  }
  try {
    process.exitCode = await COMMANDS[command](args)
  } catch (error) {
    console.error(error instanceof StepFailed ? error.message : `Unexpected: ${error.message}`)
    process.exitCode = error.exitCode ?? 1
  }
}

async function runBuilt(name, program, args) {
  const { env } = await makeReady([name])
  const { code } = await runProgram([program, ...args], env)
  return code
}

// Configures, builds and runs the core's tests: `node scripts/test-core.mjs [preset…]`, default asan and tsan.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { INSTALL_COMMANDS, missingTools } from './toolchain.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const chosen = process.argv.slice(2)

const missing = missingTools()
if (missing.length > 0) {
  console.warn(`SKIPPED: the core's tests. Missing: ${missing.join('; ')}. Install with\n${INSTALL_COMMANDS}`)
} else {
  const failed = (chosen.length > 0 ? chosen : ['asan', 'tsan']).filter((preset) => !passes(preset))
  if (failed.length > 0) {
    console.error(`The core's tests failed: ${failed.join(', ')}.`)
    process.exitCode = 1
  }
}

function passes(preset) {
  console.log(`── ${preset} ──`)
  if (!run('cmake', '--preset', preset) || !run('cmake', '--build', '--preset', preset, '--parallel')) return false
  if (existsSync(join(root, 'build', `core-${preset}`, 'tests'))) return run('ctest', '--preset', preset)
  console.warn(`SKIPPED: the core's tests with ${preset}, because GoogleTest was not found (see above).`)
  return true
}

function run(command, ...options) {
  return spawnSync(command, options, { cwd: root, stdio: 'inherit' }).status === 0
}

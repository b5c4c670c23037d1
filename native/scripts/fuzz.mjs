// Fuzzes what reads slot tables: `node scripts/fuzz.mjs [--seconds N]`, default 10. The corpus lies in fuzz/corpus; what is found
// on the way stays in build/. An input that breaks a promise is printed and kept; put it into the corpus with the fix.
import { spawnSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { missingFuzzer } from './fuzzer.mjs'
import { missingTools } from './toolchain.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))
const found = join(root, 'build', 'fuzz-found')
const { values } = parseArgs({ options: { seconds: { type: 'string', default: '10' } } })

const seconds = wholeSeconds(values.seconds)
const missing = [...missingTools(), ...missingFuzzer()]
if (seconds === undefined) {
  console.error(`--seconds: expected a whole number of 1 or more, got '${values.seconds}'. Leave it out for 10.`)
  process.exitCode = 2
} else if (missing.length > 0) {
  console.warn(`SKIPPED: fuzzing. Missing: ${missing.join('; ')}. On Debian and Ubuntu: sudo apt-get install clang`)
} else if (!fuzz()) {
  console.error('Fuzzing failed.')
  process.exitCode = 1
}

function wholeSeconds(text) {
  const count = Number(text)
  return /^\d+$/.test(text) && Number.isSafeInteger(count) && count > 0 ? count : undefined
}

function fuzz() {
  mkdirSync(found, { recursive: true })
  return (
    run('cmake', '--preset', 'fuzz') &&
    run('cmake', '--build', '--preset', 'fuzz', '--parallel') &&
    run(
      join(root, 'build', 'core-fuzz', 'fuzz', 'slot_table_fuzzer'),
      `-max_total_time=${seconds}`,
      '-max_len=4096',
      `-artifact_prefix=${found}/broken-`,
      found,
      join(root, 'fuzz', 'corpus', 'slot-table'),
    )
  )
}

function run(command, ...options) {
  return spawnSync(command, options, { cwd: root, stdio: 'inherit' }).status === 0
}

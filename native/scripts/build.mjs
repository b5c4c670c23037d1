// Builds the addon where a C++20 compiler and CMake are, else says what is missing. Fails only where KVBM_NATIVE=required.
// Takes the path of cmake-js's program from who brings it (the command `kvbm build`), else uses the repository's.
import { spawnSync } from 'node:child_process'
import { readdirSync, rmSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { INSTALL_COMMANDS, missingTools } from './toolchain.mjs'

const require = createRequire(import.meta.url)
const root = fileURLToPath(new URL('..', import.meta.url))
const build = join(root, 'build')
const binary = join(build, 'Release', 'kvbm.node')
const sources = ['CMakeLists.txt', 'include', 'src', 'addon']

const COST = 'The portable core is used instead: slower, never wrong; without page locking and direct I/O.'

if (process.env.KVBM_SKIP_NATIVE_BUILD === '1') {
  console.log(`The native core is not built: KVBM_SKIP_NATIVE_BUILD=1. ${COST}`)
} else if (!isUpToDate()) {
  buildOrExplain()
}

function isUpToDate() {
  const built = statSync(binary, { throwIfNoEntry: false })?.mtimeMs ?? 0
  return built > Math.max(...sources.map((name) => newest(join(root, name)))) && loads()
}

/** A binary of another platform is there when a folder is shared, or restored from a cache. */
function loads() {
  try {
    return typeof require(binary).abiVersion === 'number'
  } catch {
    return false
  }
}

function newest(path) {
  const entry = statSync(path)
  if (!entry.isDirectory()) return entry.mtimeMs
  return Math.max(entry.mtimeMs, ...readdirSync(path).map((name) => newest(join(path, name))))
}

function buildOrExplain() {
  const missing = missingTools()
  if (missing.length > 0) return giveUp(`Missing: ${missing.join('; ')}.`, `Install with\n${INSTALL_COMMANDS}`)
  console.log('Building the native core with CMake. This takes about a minute, once.')
  const first = runCmakeJs()
  if (first.status === 0) return
  // What CMake remembers may be of another place, generator or compiler.
  rmSync(join(build, 'CMakeCache.txt'), { force: true })
  rmSync(join(build, 'CMakeFiles'), { recursive: true, force: true })
  const second = runCmakeJs()
  if (second.status !== 0) giveUp('The build failed; its last lines:', tail(second.output))
}

/** Works offline: package.json names the Node-API version, so cmake-js takes the headers that came with it. */
function runCmakeJs() {
  const program = process.argv[2] ?? join(require.resolve('cmake-js/package.json'), '..', 'bin', 'cmake-js')
  const { status, stdout, stderr, error } = spawnSync(process.execPath, [program, 'build', '--directory', root], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    env: { CMAKE_BUILD_PARALLEL_LEVEL: String(availableParallelism()), ...process.env },
  })
  return { status, output: `${stdout}${stderr}${error?.message ?? ''}` }
}

function tail(text) {
  return text.trimEnd().split('\n').slice(-30).join('\n')
}

function giveUp(reason, details) {
  // One of older sources would be loaded, and refused or wrong.
  rmSync(binary, { force: true })
  console.warn(`The native core was not built. ${reason}\n${COST}\n${details}`)
  if (process.env.KVBM_NATIVE === 'required') process.exitCode = 1
}

// What a build of the addon needs, and whether it is here.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const CMAKE_MIN = [3, 22]

export const INSTALL_COMMANDS = `  Debian, Ubuntu   sudo apt-get install -y g++ cmake make
  Fedora           sudo dnf install -y gcc-c++ cmake make
  macOS            xcode-select --install && brew install cmake
  Windows          winget install Kitware.CMake && winget install Microsoft.VisualStudio.2022.BuildTools --override "--wait --passive --add Microsoft.VisualStudio.Workload.VCTools --includeRecommended"`

/** Fails to compile where C++20 or its library is older than what the core uses. */
const PROBE = `#include <bit>
#include <span>
#include <version>
#if __cplusplus < 202002L
#error "no C++20"
#endif
int main() { return static_cast<int>(std::span<const int>().size()) + std::has_single_bit(3u); }
`

/** The tools that are missing, in words; empty when the addon can be built. */
export function missingTools() {
  return [missingCmake(), missingCompiler(), missingMake()].filter((problem) => problem !== undefined)
}

function hasTool(name) {
  return spawnSync(name, ['--version'], { stdio: 'ignore' }).status === 0
}

function missingCmake() {
  const wanted = `CMake ${CMAKE_MIN.join('.')} or newer`
  const { status, stdout } = spawnSync('cmake', ['--version'], { encoding: 'utf8' })
  if (status !== 0) return `${wanted} (there is none on the path)`
  const found = /(\d+)\.(\d+)/.exec(stdout)?.slice(1).map(Number) ?? [0, 0]
  const old = found[0] < CMAKE_MIN[0] || (found[0] === CMAKE_MIN[0] && found[1] < CMAKE_MIN[1])
  return old ? `${wanted} (found ${found.join('.')})` : undefined
}

/** On Windows CMake finds the compiler by itself, which is on no path. */
function missingCompiler() {
  if (process.platform === 'win32') return undefined
  const compiler = [process.env.CXX, 'g++', 'clang++'].find((name) => name && hasTool(name))
  if (compiler === undefined) return 'a C++20 compiler (there is none on the path)'
  return compilesProbe(compiler) ? undefined : `a C++20 compiler (${compiler} is too old: g++ 11 or clang 14 at least)`
}

function missingMake() {
  if (process.platform === 'win32' || hasTool('make') || hasTool('ninja')) return undefined
  return 'make or ninja (neither is on the path)'
}

function compilesProbe(compiler) {
  const folder = mkdtempSync(join(tmpdir(), 'kvbm-probe-'))
  try {
    const source = join(folder, 'probe.cc')
    writeFileSync(source, PROBE)
    const options = ['-std=c++20', '-c', source, '-o', join(folder, 'probe.o')]
    return spawnSync(compiler, options, { stdio: 'ignore' }).status === 0
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

import {
  closeSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { buildNativeCore } from '../src/build-native-core.js'

const NATIVE = fileURLToPath(new URL('../../../native', import.meta.url))
const ADDON = join(NATIVE, 'build', 'Release', 'kvbm.node')

test('without compiler and CMake it fails and says what is missing, how to get it, and what that costs', async () => {
  const directory = installedNative()
  const { failure, said } = await build(directory, { PATH: '', KVBM_SKIP_NATIVE_BUILD: '1' })
  expect(failure).toBe('The native core was not built: see above.')
  expect(said).toMatch(/Missing: CMake 3\.22 or newer \(there is none on the path\)/)
  if (process.platform !== 'win32') expect(said).toContain('a C++20 compiler (there is none on the path)')
  expect(said).toContain('The portable core is used instead')
  expect(said).toContain('sudo apt-get install -y g++ cmake make')
})

test.runIf(existsSync(ADDON))('what is built already and loads is left alone', async () => {
  const directory = installedNative()
  mkdirSync(join(directory, 'build', 'Release'), { recursive: true })
  copyFileSync(ADDON, join(directory, 'build', 'Release', 'kvbm.node'))
  expect(await build(directory, { PATH: '' })).toEqual({ failure: undefined, said: '' })
})

async function build(directory: string, environment: NodeJS.ProcessEnv) {
  const log = join(directory, 'log.txt')
  const output = openSync(log, 'w')
  const failure = await buildNativeCore({ directory, environment, output }).then(
    () => undefined,
    (error: Error) => error.message,
  )
  closeSync(output)
  return { failure, said: readFileSync(log, 'utf8') }
}

/** What npm installs of @kvbm/native that its build needs. */
function installedNative(): string {
  const directory = mkdtempSync(join(tmpdir(), 'kvbm-native-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  const { files } = JSON.parse(readFileSync(join(NATIVE, 'package.json'), 'utf8')) as { files: string[] }
  for (const name of ['package.json', ...files.filter((file) => !file.includes('dist'))])
    cpSync(join(NATIVE, name), join(directory, name), { recursive: true })
  return directory
}

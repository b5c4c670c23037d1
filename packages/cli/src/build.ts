import { loadBinding } from '@kvbm/native'
import { buildNativeCore } from './build-native-core.js'
import { defineCommand } from './command.js'
import { printJson } from './format.js'

const HELP = `Usage: kvbm build [flags]

Compiles the native core into the installed @kvbm/native: faster copies and checksums, page locking, direct I/O. Needs a C++20
compiler and CMake 3.22 or newer, and says what is missing. Without it everything runs on the portable core.

  --json    as data
  --help    this text`

/** `kvbm build` */
export const build = defineCommand({
  name: 'build',
  help: HELP,
  flags: { json: { type: 'boolean', default: false } },
  placesMax: 0,
  async run({ flags: { json } }) {
    await buildNativeCore()
    const description = loadBinding({ native: 'required' }).describe()
    if (json) return printJson(description)
    const { sha256, crc32c } = description
    console.log(`The native core is built and loads: SHA-256 by ${sha256}, CRC32C by ${crc32c}.`)
  },
})

import { existsSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { outputsOf } from '../scripts/bootstrap/workspace.mjs'
import { PackedHouse, runExample, runInstalled } from './support/packed-house.js'
import { type Package, readHouse, SCOPE } from './support/read-house.js'
import { runnableBlocks } from './support/readme-blocks.js'
import { missingFrom, statedOutput } from './support/stated-output.js'

// What is packed is what was built: after a change of a source, `npm run build` comes first. `npm test` does it.

const root = resolve(import.meta.dirname, '..')
const house = readHouse(root)
const binaryOfThisPlatform = `native-${process.platform}-${process.arch}`
const hasBinary = existsSync(join(root, 'native/build/Release/kvbm.node'))

/** An adapter needs its engine: to install it alone is a download of that. */
const needsEngine = ({ manifest }: Package) =>
  Object.keys(manifest.peerDependencies ?? {}).some((peer) => !manifest.peerDependenciesMeta?.[peer]?.optional)

const published = house.packages.filter((own) => own.manifest.private !== true && !needsEngine(own))
const libraries = published.filter(({ manifest }) => manifest.exports?.['.'] !== undefined)
const commands = published.filter(({ manifest }) => manifest.bin !== undefined)
const binaries = published.filter(({ name }) => hasBinary && name === binaryOfThisPlatform)
const packages = [...libraries, ...commands, ...binaries]
const notBuilt = packages.flatMap(outputsOf).filter((file) => !existsSync(join(root, file)))

describe('a package from its tarball, alone in an empty folder,', () => {
  let packed: PackedHouse | undefined
  let obstacle: string | undefined

  beforeAll(async () => {
    if (notBuilt.length > 0) obstacle = 'they are not built: `npm run build`'
    else {
      packed = await PackedHouse.pack(
        root,
        packages.map(({ manifest }) => manifest.name),
      )
      obstacle = await packed.fetchOthers()
    }
    if (obstacle !== undefined) console.warn(`Packages are not tried from their tarballs: ${obstacle}.`)
  }, 180_000)

  afterAll(() => packed?.[Symbol.dispose](), 60_000)

  test.for(libraries)('$name brings along what it names, and runs the example of its README', async (own, { skip }) => {
    skip(obstacle !== undefined, obstacle)
    const folder = await packed!.install(own.manifest.name)
    expect(readdirSync(join(folder, 'node_modules', SCOPE)).sort()).toEqual(closureOf(own).sort())
    expect(readdirSync(join(folder, 'node_modules', own.manifest.name))).toEqual(
      expect.arrayContaining(['LICENSE', 'README.md']),
    )
    const code = exampleOf(own)
    const { stdout } = await runExample(folder, code, hasBinary ? 'required' : undefined)
    expect(missingFrom(stdout, statedOutput(code)), stdout).toEqual([])
  })

  test.for(commands)('$name runs as a command and says what it can do', async ({ manifest }, { skip }) => {
    skip(obstacle !== undefined, obstacle)
    const folder = await packed!.install(manifest.name)
    for (const [name, file] of Object.entries(manifest.bin!)) {
      const { stdout } = await runInstalled(folder, [join('node_modules', manifest.name, file), '--help'])
      expect(stdout).toContain(name)
    }
  })

  test('without the binary of its platform runs on the portable twin, and says so once', async ({ skip }) => {
    skip(obstacle !== undefined, obstacle)
    const tokens = libraries.find(({ name }) => name === 'tokens')!
    const folder = await packed!.install(tokens.manifest.name, '--omit=optional')
    expect(readdirSync(join(folder, 'node_modules', SCOPE)).sort()).toEqual(['core', 'native', 'tokens'])
    const code = exampleOf(tokens)
    const { stdout, stderr } = await runExample(folder, code)
    expect(missingFrom(stdout, statedOutput(code)), stdout).toEqual([])
    expect(stderr.match(/The portable core is in use/g)).toHaveLength(1)
    expect(stderr).toContain('Remedies: install the package of your platform')
  })
})

/** Names of ours that are installed with a package: itself and all that it depends on. */
function closureOf({ name, manifest }: Package): string[] {
  const { dependencies, optionalDependencies } = manifest
  const below = Object.keys({ ...dependencies, ...optionalDependencies }).filter((other) => other.startsWith(SCOPE))
  const installed = packages.filter((other) => below.includes(other.manifest.name))
  return [...new Set([name, ...installed.flatMap(closureOf)])]
}

/** The first block of its README that runs; where none does, that it loads. */
function exampleOf({ folder, manifest }: Package): string {
  const [block] = runnableBlocks(join(root, folder, 'README.md')).filter(({ language }) => language.endsWith('js'))
  return block?.code ?? `await import('${manifest.name}')\n`
}

import { execFile } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build, type Options } from 'tsup'
import { doorOf, type House } from './read-house.js'

type Plugin = NonNullable<Options['esbuildPlugins']>[number]

export interface BlockRun {
  readonly house: House
  readonly code: string
  readonly language: string
  /** Folder of the package whose reader runs the block: packages of others are looked up from there. */
  readonly from: string
  /** An empty directory: the block runs in it. */
  readonly directory: string
}

/** Runs a block as a process of its own, on the sources of our packages. Rejects with what it complained about. */
export async function runBlock({ house, code, language, from, directory }: BlockRun): Promise<string> {
  const entry = join(directory, `block.${language.startsWith('t') ? 'ts' : 'js'}`)
  writeFileSync(entry, code)
  await build({
    entry: { run: entry },
    outDir: directory,
    outExtension: () => ({ js: '.mjs' }),
    format: ['esm'],
    target: 'node20',
    dts: false,
    config: false,
    silent: true,
    splitting: false,
    noExternal: [/.*/],
    esbuildOptions: (options) => {
      options.logLevel = 'silent'
      // As Node has it, which knows no "module": some packages keep files there that only bundlers understand.
      options.mainFields = ['main']
    },
    esbuildPlugins: [sourcesOf(house, entry, join(house.root, from))],
  })
  return node(join(directory, 'run.mjs'), directory, join(house.root, 'native/build/Release/kvbm.node'))
}

/** Takes our packages from their sources, and leaves those of others where they are. */
function sourcesOf({ root, packages }: House, entry: string, from: string): Plugin {
  return {
    name: 'sources',
    setup({ onResolve, resolve }) {
      onResolve({ filter: /^@kvbm\// }, ({ path }) => {
        const door = packages.map((own) => doorOf(own, path)).find((found) => found !== undefined)
        return door === undefined ? { path, external: true } : { path: join(root, door) }
      })
      onResolve({ filter: /^[^./]/ }, async ({ path, importer, resolveDir, kind, pluginData }) => {
        if (kind === 'entry-point' || path.startsWith('node:') || pluginData === SELF) return undefined
        const found = await resolve(path, {
          kind,
          resolveDir: importer === entry ? from : resolveDir,
          pluginData: SELF,
        })
        return { path: found.external ? path : pathToFileURL(found.path).href, external: true, errors: found.errors }
      })
    },
  }
}

/** Marks the plugin's own questions, so that it does not answer them itself. */
const SELF = Symbol('sources')

function node(program: string, cwd: string, addon: string): Promise<string> {
  const env = { ...(existsSync(addon) && { KVBM_NATIVE_PATH: addon }), ...process.env }
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      ['--enable-source-maps', program],
      { cwd, env, timeout: 45_000 },
      (error, stdout, stderr) => {
        if (error === null) resolve(stdout)
        else reject(new Error(`The block ended with ${error.code ?? error.signal}:\n${stdout}${stderr}`))
      },
    )
  })
}

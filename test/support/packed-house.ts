import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const windows = process.platform === 'win32'

/** What npm says when the fault is not ours but the network's. */
const UNREACHABLE = /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ENOTCACHED)\b/

/** What of our environment must not reach a user's program. pnpm tells what it starts where it hoisted everything. */
const OUTSIDE = { NODE_PATH: undefined, NODE_OPTIONS: undefined, KVBM_NATIVE: undefined, KVBM_NATIVE_PATH: undefined }

/** Packages of ours as they would be published, in a temporary directory that ends with its `using`. */
export class PackedHouse implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'kvbm-packed-'))
  readonly #tarballs: Readonly<Record<string, string>>

  private constructor(names: readonly string[]) {
    const fileOf = (name: string) => join(this.#folder, `${name.replace('@', '').replace('/', '-')}.tgz`)
    this.#tarballs = Object.fromEntries(names.map((name) => [name, `file:${fileOf(name)}`]))
  }

  /** Packs the built packages of these names. */
  static async pack(root: string, names: readonly string[]): Promise<PackedHouse> {
    const packed = new PackedHouse(names)
    const filters = names.flatMap((name) => ['--filter', name])
    await command('pnpm', [...filters, 'pack', '--out', join(packed.#folder, '%s.tgz')], root)
    return packed
  }

  /** Installs all together, which leaves in npm's cache what others wrote. Gives why that cannot be, or undefined. */
  async fetchOthers(): Promise<string | undefined> {
    const folder = this.#folderWith('all', { dependencies: this.#tarballs })
    try {
      await npmInstall(folder, '--prefer-offline', '--fetch-retries=1', '--fetch-retry-mintimeout=1000')
      return undefined
    } catch (error) {
      const code = UNREACHABLE.exec(String(error))?.[0]
      if (code === undefined) throw error
      return `npm reaches no registry (${code}), and its cache lacks what our packages need`
    }
  }

  /** Installs one package alone into an empty folder outside of the workspace; what it needs comes along. Gives the folder. */
  async install(name: string, ...flags: string[]): Promise<string> {
    const { [name]: own, ...others } = this.#tarballs
    const folder = this.#folderWith(name + flags.join(''), { dependencies: { [name]: own }, overrides: others })
    await npmInstall(folder, '--offline', ...flags)
    return folder
  }

  #folderWith(name: string, manifest: object): string {
    const folder = join(this.#folder, name)
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, ...manifest }))
    return folder
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true })
  }
}

/** Runs code in a folder where a package is installed; gives what it printed, and what it complained about. */
export function runExample(folder: string, code: string, native?: 'required') {
  writeFileSync(join(folder, 'example.mjs'), code)
  return runInstalled(folder, ['example.mjs'], native)
}

/** Runs a program of what is installed in a folder, as its user would. */
export async function runInstalled(folder: string, args: readonly string[], native?: 'required') {
  const env = { ...process.env, ...OUTSIDE, ...(native && { KVBM_NATIVE: native }) }
  return await run(process.execPath, args, { cwd: folder, env, timeout: 45_000 })
}

function npmInstall(folder: string, ...flags: string[]): Promise<void> {
  return command('npm', ['install', ...flags, '--no-audit', '--no-fund', '--no-update-notifier'], folder)
}

/** Rejects with all that the command said. */
async function command(name: string, args: readonly string[], cwd: string): Promise<void> {
  try {
    await run(windows ? `${name}.cmd` : name, args, { cwd, shell: windows, timeout: 120_000, maxBuffer: 2 ** 26 })
  } catch (error) {
    const { stdout, stderr } = error as { stdout?: string; stderr?: string }
    throw new Error(`${name} ${args.join(' ')} failed:\n${stdout}${stderr}`, { cause: error })
  }
}

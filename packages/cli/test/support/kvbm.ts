import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'tsup'

/** How a run of the command ended, and what it said. */
export interface Outcome {
  readonly code: number
  readonly out: string
  readonly err: string
}

const SOURCE = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const REQUIRE =
  "import { createRequire as makeRequire } from 'node:module'; const require = makeRequire(import.meta.url);"
const MANIFEST = fileURLToPath(new URL('../../package.json', import.meta.url))
/** Where packages of others are that are not bundled: the engine, above all, which brings binaries. */
const INSTALLED = fileURLToPath(new URL('../../node_modules', import.meta.url))
const OPTIONAL = ['node-llama-cpp', 'prom-client']
/** What the tests of this process load, too: beside the bundle there is none. */
const ADDON =
  process.env.KVBM_NATIVE_PATH || fileURLToPath(new URL('../../../../native/build/Release/kvbm.node', import.meta.url))
const ENVIRONMENT = { ...process.env, KVBM_NATIVE_PATH: ADDON }

export interface RunOptions {
  /** Standard input. */
  readonly input?: string
  readonly cwd?: string
  readonly env?: NodeJS.ProcessEnv
}

export interface KvbmOptions {
  /** Whether the optional peers are installed beside it. Default false. */
  readonly withPeers?: boolean
}

/** The command, made of the sources of all packages, to be run as a process of its own. */
export class Kvbm {
  readonly #options: KvbmOptions
  readonly #directory = mkdtempSync(join(tmpdir(), 'kvbm-cli-'))
  #program: Promise<void> | undefined

  constructor(options: KvbmOptions = {}) {
    this.#options = options
  }

  /** Runs `kvbm ...args`. Never rejects for what it complains about. */
  async run(
    args: readonly string[],
    { input = '', cwd = this.#directory, env = {} }: RunOptions = {},
  ): Promise<Outcome> {
    const command = await this.#command(args)
    return new Promise((resolve) => {
      const child = execFile(process.execPath, command, { env: { ...ENVIRONMENT, ...env }, cwd }, (error, out, err) =>
        resolve({ code: error === null ? 0 : Number(error.code), out, err }),
      )
      child.stdin?.end(input)
    })
  }

  /** Starts `kvbm ...args`, for commands that run until they are stopped. Standard output is piped. */
  async start(args: readonly string[], { env = {} }: Pick<RunOptions, 'env'> = {}): Promise<ChildProcess> {
    const stdio = ['ignore', 'pipe', 'inherit'] as const
    return spawn(process.execPath, await this.#command(args), {
      env: { ...ENVIRONMENT, ...env },
      cwd: this.#directory,
      stdio: [...stdio],
    })
  }

  /** The same with `--json`, which must succeed. */
  async json<T>(...args: string[]): Promise<T> {
    const { code, out, err } = await this.run([...args, '--json'])
    if (code !== 0) throw new Error(`kvbm ${args.join(' ')} ended with ${code}:\n${out}${err}`)
    return JSON.parse(out) as T
  }

  [Symbol.dispose](): void {
    rmSync(this.#directory, { recursive: true, force: true })
  }

  async #command(args: readonly string[]): Promise<string[]> {
    this.#program ??= this.#bundle()
    await this.#program
    return [join(this.#directory, 'program', 'main.mjs'), ...args]
  }

  async #bundle(): Promise<void> {
    if (this.#options.withPeers) this.#installPeers()
    copyFileSync(MANIFEST, join(this.#directory, 'package.json'))
    await build({
      entry: { main: SOURCE },
      outDir: join(this.#directory, 'program'),
      outExtension: () => ({ js: '.mjs' }),
      format: ['esm'],
      target: 'node20',
      dts: false,
      config: false,
      silent: true,
      external: OPTIONAL,
      noExternal: [/^(?!node-llama-cpp$|prom-client$)/],
      esbuildOptions: (options) => {
        options.conditions = ['@kvbm/source']
        options.banner = { js: REQUIRE }
      },
    })
  }

  #installPeers(): void {
    mkdirSync(join(this.#directory, 'node_modules'))
    for (const name of OPTIONAL)
      symlinkSync(join(INSTALLED, name), join(this.#directory, 'node_modules', name), 'junction')
  }
}

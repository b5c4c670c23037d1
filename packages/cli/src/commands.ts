import type { Command } from './command.js'

interface Entry {
  readonly summary: string
  /** Loaded when it is asked for, so that no command pays for another, or fails for what another lacks. */
  load(): Promise<Command>
}

/** Every subcommand, in the order of the help. */
export const COMMANDS: ReadonlyMap<string, Entry> = new Map(
  Object.entries<Entry>({
    serve: {
      summary: "serve a model over OpenAI's routes, with the cache underneath",
      load: async () => (await import('./serve.js')).serve,
    },
    bench: {
      summary: 'what the cache brings for your model on your machine',
      load: async () => (await import('./bench.js')).bench,
    },
    inspect: {
      summary: 'what a cache directory holds: models, blocks, bytes, ages, damage',
      load: async () => (await import('./inspect.js')).inspect,
    },
    prune: {
      summary: 'remove models that were not used for long',
      load: async () => (await import('./prune.js')).prune,
    },
    clear: {
      summary: 'remove everything, a model, or the blocks of one tenant',
      load: async () => (await import('./clear.js')).clear,
    },
    explain: {
      summary: 'why a prompt hits the cache or misses it',
      load: async () => (await import('./explain.js')).explain,
    },
    build: {
      summary: 'compile the native core on this machine',
      load: async () => (await import('./build.js')).build,
    },
  }),
)

/** What `kvbm --help` says. */
export const HELP = `Usage: kvbm COMMAND [flags]

${[...COMMANDS].map(([name, { summary }]) => `  ${name.padEnd(9)} ${summary}`).join('\n')}

kvbm COMMAND --help says more, kvbm --version which this is. Exit codes: 0 done, 1 failed, 2 wrong usage.`

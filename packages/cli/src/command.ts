import { type ParseArgsConfig, parseArgs } from 'node:util'
import { UsageError } from './usage-error.js'

/** One subcommand. `run` sets the exit code where it is not 0, and throws `UsageError` for arguments that cannot be. */
export interface Command {
  run(args: readonly string[]): Promise<void>
}

type Flags = NonNullable<ParseArgsConfig['options']>

type Values<F extends Flags> = ReturnType<
  typeof parseArgs<{ options: F; allowPositionals: true; strict: true }>
>['values']

/** Makes an error that leads to a subcommand's help. */
export type UsageErrorOf = (message: string) => UsageError

/** What a subcommand was given: flags by name, and arguments without a flag in order. */
export interface Given<F extends Flags> {
  readonly flags: Values<F>
  readonly places: readonly string[]
  readonly usageError: UsageErrorOf
}

export interface CommandParts<F extends Flags> {
  readonly name: string
  readonly help: string
  readonly flags: F
  /** Most arguments without a flag, e.g. 1 for a directory. */
  readonly placesMax: number
  run(given: Given<F>): Promise<void>
}

/** Adds `--help` and the reading of arguments to a subcommand. */
export function defineCommand<const F extends Flags>(parts: CommandParts<F>): Command {
  return {
    async run(args) {
      if (args.includes('--help') || args.includes('-h')) return void console.log(parts.help)
      await parts.run(read(parts, args))
    },
  }
}

function read<F extends Flags>({ name, flags, placesMax }: CommandParts<F>, args: readonly string[]): Given<F> {
  const usageError: UsageErrorOf = (message) => new UsageError(message, name)
  try {
    const { values, positionals } = parseArgs({ args: [...args], options: flags, allowPositionals: true, strict: true })
    if (positionals.length > placesMax) throw new Error(`Unexpected argument '${positionals[placesMax]}'`)
    return { flags: values as Values<F>, places: positionals, usageError }
  } catch (error) {
    // Node adds advice about `--` that helps nobody here.
    const [what] = (error as Error).message.split(/\.? To specify|\.?\n|\.$/)
    throw usageError(`${what}.`)
  }
}

#!/usr/bin/env node
import { COMMANDS, HELP } from './commands.js'
import { UsageError } from './usage-error.js'

async function main([name, ...args]: readonly string[]): Promise<void> {
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') return void console.log(HELP)
  const load = COMMANDS.get(name)?.load
  if (load === undefined) throw new UsageError(`There is no command '${name}'.`, '')
  const command = await load()
  await command.run(args)
}

// A reader such as `head` that has seen enough is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))

main(process.argv.slice(2)).catch((error: unknown) => {
  const message = error instanceof Error ? error.message : String(error)
  console.error(
    error instanceof UsageError ? `${message} See kvbm ${error.command} --help.`.replace('  ', ' ') : message,
  )
  process.exitCode = error instanceof UsageError ? 2 : 1
})

#!/usr/bin/env node
import { createRequire } from 'node:module'
import { COMMANDS, HELP } from './commands.js'
import { UsageError } from './usage-error.js'

async function main([name, ...args]: readonly string[]): Promise<void> {
  if (name === undefined || name === '--help' || name === '-h' || name === 'help') return void console.log(HELP)
  if (name === '--version') return void console.log(createRequire(import.meta.url)('../package.json').version)
  const load = COMMANDS.get(name)?.load
  if (load === undefined) throw new UsageError(`There is no command '${name}'.`)
  const command = await load()
  await command.run(args)
}

/** Says what went wrong and, for wrong usage, where to read on; gives the exit code. */
function complain(error: unknown): 1 | 2 {
  const message = error instanceof Error ? error.message : String(error)
  const isUsage = error instanceof UsageError
  console.error(isUsage ? `${message} See ${error.helpCommand}.` : message)
  return isUsage ? 2 : 1
}

// A reader such as `head` that has seen enough is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))

main(process.argv.slice(2)).catch((error: unknown) => {
  process.exitCode = complain(error)
})

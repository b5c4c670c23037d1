/** A command, flag or value that cannot be; the message names it. Exit code 2. */
export class UsageError extends Error {
  /** What to run to read more. */
  readonly helpCommand: string

  /** `command`: whose help says more; without one the help of all. */
  constructor(message: string, command?: string) {
    super(message)
    this.helpCommand = command === undefined ? 'kvbm --help' : `kvbm ${command} --help`
  }
}

/** A command, flag or value that cannot be; the message names it. Exit code 2. */
export class UsageError extends Error {
  /** Whose help says more; empty for the help of all. */
  readonly command: string

  constructor(message: string, command: string) {
    super(message)
    this.command = command
  }
}

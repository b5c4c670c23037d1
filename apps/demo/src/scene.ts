/** One thing that the demo shows: `npm run demo -- <name> [flags]`. */
export interface Scene {
  /** What it shows, in a line. */
  readonly summary: string
  readonly help: string
  /** Plays it; gives the exit code. Throws `UsageError`. */
  play(args: readonly string[]): Promise<number>
}

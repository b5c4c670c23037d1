/** What a simulation found wrong, with the way to see it again. */
export class SimulationFailure extends Error {
  readonly seed: number

  constructor(seed: number, cause: unknown) {
    const what = cause instanceof Error ? cause.message : String(cause)
    super(`Seed ${seed}: ${what}\nTo see it again: npm run simulate -- --seed ${seed} --trace`, { cause })
    this.seed = seed
  }
}

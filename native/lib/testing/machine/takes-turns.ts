import type { SeededRandom } from './seeded-random.js'

/** Whoever does things in turns. */
export interface TakesTurns {
  readonly random: SeededRandom
  /** Resolves with what `effect` gave when its turn has come; never where the process dies before. */
  turn<T>(what: string, effect: () => T, mayFollowDeath?: boolean): Promise<T>
}

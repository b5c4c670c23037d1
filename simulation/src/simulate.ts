import type { Facts } from './facts.js'
import { layGround } from './ground.js'
import { History, type HistoryOptions } from './history.js'
import { drawScenario } from './scenario.js'
import { SimulationFailure } from './simulation-failure.js'

/** What became of one seed. */
export interface Outcome {
  readonly seed: number
  /** SHA-256 over all that happened: the same seed gives the same. */
  readonly digest: string
  readonly facts: Facts
}

/** Lives the history of a seed. Rejects with `SimulationFailure` where something does not hold. */
export async function simulate(seed: number, options: HistoryOptions = {}): Promise<Outcome> {
  using _ground = layGround()
  const history = new History(drawScenario(seed), options)
  try {
    await history.live()
  } catch (error) {
    throw new SimulationFailure(seed, error)
  }
  return { seed, digest: history.digest, facts: history.facts }
}

import { randomInt } from 'node:crypto'
import type { GenerateRequest } from '@kvbm/connector'
import type { SequenceEvaluateOptions } from 'node-llama-cpp'

const SEEDS = 2 ** 32
/** The API knows no such bound, but without one the engine sorts the whole vocabulary, which takes as long as a token of a small model. */
const TOP_K = 1000

/** How a request's next token is drawn. The engine's own defaults (40 tokens, 0.95) are none of the API's, and its seed is the second. */
export function samplingOf({ temperature, topP = 1, seed }: GenerateRequest): SequenceEvaluateOptions {
  return { temperature, topK: TOP_K, topP, minP: 0, seed: seed === undefined ? randomInt(SEEDS) : seed >>> 0 }
}

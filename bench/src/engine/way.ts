import type { Token } from 'node-llama-cpp'

/** What one prompt took. */
export interface Sample {
  /** From the prompt to the first token. */
  readonly ms: number
  /** Part of it, where something was restored. */
  readonly restoreMs?: number
}

/** One way to the first token of a prompt whose prefix was seen before. */
export interface Way {
  readonly name: string
  /** `tail` is new each time. Only what the sample says is measured; what else a round needs is done beside it. */
  ask(tail: readonly Token[]): Promise<Sample>
}

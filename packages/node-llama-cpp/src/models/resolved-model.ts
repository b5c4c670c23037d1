/** Where a model's file came from: named by the user, found in the models directory, just downloaded, or made here. */
export type ModelSource = 'file' | 'cache' | 'hub' | 'wheel' | 'random'

/** A model's file and what is to be said about it. */
export interface ResolvedModel {
  /** A complete GGUF file. */
  readonly path: string
  readonly source: ModelSource
  /** One line for people; for random weights the sentence that must come first in everything printed. */
  readonly label: string
  /** False when the weights are random, so that texts are noise and only timings and bytes are real. */
  readonly realText: boolean
}

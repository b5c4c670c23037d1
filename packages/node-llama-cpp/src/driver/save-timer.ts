import type { LlamaContext } from 'node-llama-cpp'
import { override } from '../override.js'

type Save = (...order: unknown[]) => Promise<unknown>

/**
 * How long the engine stands still for a save. Its method also waits for the engine's locks, while others decode; only the native call
 * behind it tells the two apart. Where that cannot be had the wait is counted, too.
 */
export class SaveTimer {
  #lastMs: number | undefined

  constructor(context: LlamaContext) {
    const { _ctx: native } = context as unknown as { readonly _ctx?: { saveSequenceStateToFile?: Save } }
    const save = native?.saveSequenceStateToFile?.bind(native)
    if (native === undefined || save === undefined) return
    override(native, {
      saveSequenceStateToFile: async (...order: unknown[]) => {
        const started = performance.now()
        try {
          return await save(...order)
        } finally {
          this.#lastMs = performance.now() - started
        }
      },
    })
  }

  /** Milliseconds that a save took. One at a time in a context. */
  async time(save: () => Promise<unknown>): Promise<number> {
    this.#lastMs = undefined
    const started = performance.now()
    await save()
    return this.#lastMs ?? performance.now() - started
  }
}

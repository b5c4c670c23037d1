import { type DownloadProgress, type ResolvedModel, resolveModel } from '@kvbm/node-llama-cpp/models'
import { Presets, SingleBar } from 'cli-progress'

/** The model's file, downloaded when need be; says what it does before it does it. */
export async function findModel(reference: string | undefined, signal: AbortSignal): Promise<ResolvedModel> {
  using bar = new DownloadBar()
  const onMessage = (sentence: string): void => console.error(`  ${sentence}`)
  return resolveModel(reference, { signal, onMessage, onProgress: (progress) => bar.show(progress) })
}

/** Nothing in a pipe: what is downloaded was said before. */
class DownloadBar {
  #bar: SingleBar | undefined

  show({ doneBytes, totalBytes }: DownloadProgress): void {
    if (!process.stderr.isTTY || totalBytes === 0) return
    if (this.#bar === undefined) {
      this.#bar = new SingleBar(
        { format: '  {bar} {megabytes} MB', hideCursor: true, clearOnComplete: true },
        Presets.shades_classic,
      )
      this.#bar.start(totalBytes, 0, { megabytes: '' })
    }
    this.#bar.update(doneBytes, { megabytes: `${(doneBytes / 1e6).toFixed(0)} of ${(totalBytes / 1e6).toFixed(0)}` })
  }

  [Symbol.dispose](): void {
    this.#bar?.stop()
  }
}

import type { ResolvedModel } from '@kvbm/node-llama-cpp/models'
import { formatBytes } from './format.js'
import type { Engine } from './load-engine.js'

/** Finds, downloads or makes the model; what happens meanwhile is told on standard error, so that output stays clean. */
export async function findModel({ models }: Engine, reference: string | undefined): Promise<ResolvedModel> {
  return models.resolveModel(reference, {
    onMessage: (sentence) => console.error(sentence),
    onProgress: ({ label, doneBytes, totalBytes }) => {
      if (!process.stderr.isTTY) return
      const total = totalBytes > 0 ? ` of ${formatBytes(totalBytes)}` : ''
      process.stderr.write(
        `\r\u001b[K${label}: ${formatBytes(doneBytes)}${total}${doneBytes === totalBytes ? '\n' : ''}`,
      )
    },
  })
}

import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { Llama2cFiles } from '../../src/models/index.js'

/** The small trained model that lies beside some checkouts, or why it cannot be used. */
export function findStories(): Llama2cFiles | string {
  const directory = resolve(import.meta.dirname, '../../../../../shared/models')
  const files = { checkpoint: resolve(directory, 'stories260K.bin'), tokenizer: resolve(directory, 'tok512.bin') }
  const missing = Object.values(files).filter((path) => !existsSync(path))
  return missing.length === 0 ? files : `no stories260K.bin and tok512.bin in ../shared/models`
}

import { parseArgs } from 'node:util'
import { resolveModel } from '@kvbm/node-llama-cpp/models'

/**
 * Reads `[MODEL] [--dir DIR] [--threads N]`: a GGUF file, a Hugging Face reference or `random:…`, where the cache lives, and how
 * many threads compute (default: the physical cores). Where the weights are random, the first line that is printed says so.
 */
export async function fromCommandLine() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { dir: { type: 'string', default: './kv-cache' }, threads: { type: 'string' } },
  })
  const { path, label, realText } = await resolveModel(positionals[0] ?? 'random:tiny', { onMessage: console.error })
  if (!realText) console.log(label)
  return { modelPath: path, dir: values.dir, ...(values.threads && { threads: Number(values.threads) }) }
}

import { mkdir, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type KvCache, kvCacheOf, openKvCache } from '@kvbm/node-llama-cpp'
import type { LlamaContextSequence } from 'node-llama-cpp'
import { figure, type Report } from '../figures.js'
import { temporaryDirectory } from '../temporary-directory.js'
import { Engine } from './engine.js'
import { PromptSource } from './prompt-source.js'

const CHATS = 20
const SHARED_TOKENS = 1024
const OWN_TOKENS = 128
const MODEL = 'random:smol135'

/** Chats that begin alike: what they take as blocks, and as one state file each. */
export async function storage(): Promise<Report[]> {
  await using directory = await temporaryDirectory()
  await using engine = await Engine.load(MODEL)
  const [dir, files] = [join(directory.path, 'blocks'), join(directory.path, 'files')]
  await mkdir(files)
  const kv = await openKvCache({ dir, modelsMax: 1 })
  const settings = { threads: engine.cores, batchTokens: 512, flashAttention: true }
  const sequence = await engine.sequence(settings, { contextTokens: SHARED_TOKENS + OWN_TOKENS + 16, kv })
  await chat(sequence, new PromptSource(engine.model), files)
  await sequence.context.dispose()
  const blockBytes = bytesInBlocks(kv)
  await kv.close()
  const [onDisk, asFiles] = [await allocatedBytes(dir), await allocatedBytes(files)]
  return [
    {
      name: 'engine-storage',
      work: `${CHATS} chats of ${SHARED_TOKENS} shared and ${OWN_TOKENS} own tokens, ${engine.label}`,
      setup: { chats: CHATS },
      figures: [
        figure('one state file each', 'bytes', [asFiles]),
        figure('blocks', 'bytes', [blockBytes]),
        figure('blocks, with room allocated ahead on disk', 'bytes', [onDisk]),
        figure('state files ÷ blocks', 'times', [asFiles / blockBytes], { atLeast: 6.4 }),
      ],
      notes: ['The disk tier allocates room for more blocks ahead, in segments of up to 256 MiB.'],
    },
  ]
}

async function chat(sequence: LlamaContextSequence, source: PromptSource, files: string): Promise<void> {
  const shared = source.take(SHARED_TOKENS)
  for (let count = 0; count < CHATS; count++) {
    await sequence.clearHistory()
    await sequence.evaluateWithoutGeneratingNewTokens([...shared, ...source.take(OWN_TOKENS)])
    await kvCacheOf(sequence)!.settled()
    await sequence.saveStateToFile(join(files, `${count}.bin`))
  }
}

function bytesInBlocks(kv: KvCache): number {
  return kv.status().models[0]!.manager!.tiers.host!.usedBytes
}

/** What the file system really gave: files may have holes. */
async function allocatedBytes(directory: string): Promise<number> {
  let bytes = 0
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true }))
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).blocks * 512
  return bytes
}

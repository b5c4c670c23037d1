import { openSync, writeSync } from 'node:fs'
import { KvBlockManager } from '../../src/index.js'
import { bytesOf, MODEL, PROMPT_BLOCKS, promptOf } from './content.js'

/**
 * Runs in a process of its own. `serve` computes ever new prompts into host memory, from where they go to disk in the background,
 * until it is killed; a block's name is in the journal only after the disk tier said `stored`. `idle` opens a manager, uses it,
 * and leaves it open.
 */
export interface Task {
  readonly mode: 'serve' | 'idle'
  readonly path: string
  readonly diskBlocks: number
  readonly journal: string
  readonly firstPrompt: number
  readonly access?: 'exclusive' | 'shared'
}

async function main({ mode, path, diskBlocks, journal, firstPrompt, access = 'exclusive' }: Task): Promise<void> {
  const manager = await KvBlockManager.create(
    {
      model: MODEL,
      deviceLayout: { numBlocks: 24 },
      hostLayout: { numBlocks: 48 },
      diskLayout: { numBlocks: diskBlocks, access, allocator: { kind: 'disk', path } },
    },
    { transferBatchMax: 4 },
  )
  const file = openSync(journal, 'a')
  manager.onEvent((event) => {
    if (event.type !== 'stored' || event.tier !== 'disk') return
    writeSync(
      file,
      event.hashes
        .toHexArray()
        .map((hex) => `${hex}\n`)
        .join(''),
    )
    process.stdout.write('stored\n')
  })
  const serve = async (prompt: number): Promise<void> => {
    const hashes = manager.hash(promptOf(prompt))
    using fresh = await manager.device.acquire(PROMPT_BLOCKS)
    await manager.write(fresh, bytesOf(hashes))
    using _named = fresh.register(hashes)
  }
  if (mode === 'idle') return serve(firstPrompt)
  // Standard input ends with whoever started this.
  process.stdin.resume().once('end', () => process.exit())
  for (let prompt = firstPrompt; ; prompt++) {
    await serve(prompt)
    if (manager.backlog > 12) await manager.settled()
  }
}

await main(JSON.parse(process.argv[2]!) as Task)

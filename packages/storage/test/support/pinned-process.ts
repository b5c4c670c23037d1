import { createPortableBinding, loadBinding } from '@kvbm/native'
import { createTransferRuntime, PinnedAllocator } from '../../src/index.js'

interface Task {
  readonly binding: 'portable' | 'native'
  readonly sizeBytes: number
}

/** An ordinary user, whom the lock limit binds. */
const NOBODY = 65_534

/** Allocates pinned memory as an ordinary user, uses it, and says what it got. */
async function main({ binding: name, sizeBytes }: Task): Promise<void> {
  const binding = name === 'native' ? loadBinding({ native: 'required' }) : createPortableBinding()
  if (process.getuid?.() === 0) process.setuid?.(NOBODY)
  const storage = await new PinnedAllocator({ runtime: createTransferRuntime({ binding }) }).allocate({ sizeBytes })
  storage.bytes(0, sizeBytes)!.fill(9)
  process.stdout.write(`${JSON.stringify(storage.describe())}\n`)
  await storage.close()
}

await main(JSON.parse(process.argv[2]!) as Task)

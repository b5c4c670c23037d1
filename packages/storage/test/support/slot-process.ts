import { openSync, writeSync } from 'node:fs'
import { createPortableBinding, loadBinding } from '@kvbm/native'
import { createTransferRuntime, DiskAllocator, type SlotFile } from '../../src/index.js'
import { FINGERPRINT, storeBlocks } from './blocks.js'

/**
 * Runs in a process of its own (`program.ts`), to be killed. `hold` opens the slots and waits; `write` stores
 * blocks in ever new slots, several batches at a time, and writes a block's name into the journal only after its commit
 * resolved.
 */
interface Task {
  readonly mode: 'hold' | 'write'
  readonly binding: 'portable' | 'native'
  readonly root: string
  readonly journal: string
  readonly firstName: number
  readonly numSlots: number
  readonly slotBytes: number
  readonly slots: readonly number[]
}

const WRITERS = 3
const BATCH = 4

async function main(task: Task): Promise<void> {
  const binding = task.binding === 'native' ? loadBinding({ native: 'required' }) : createPortableBinding()
  const runtime = createTransferRuntime({ binding, threads: 2 })
  const { numSlots, slotBytes } = task
  const file = await new DiskAllocator(task.root, { runtime }).openSlots({
    fingerprint: FINGERPRINT,
    numSlots,
    slotBytes,
  })
  process.stdout.write('open\n')
  // Keeps the process alive until it is killed, or whoever started it is gone.
  process.stdin.resume().once('end', () => process.exit())
  if (task.mode === 'hold') return
  const journal = openSync(task.journal, 'a')
  const free = [...task.slots]
  let name = task.firstName
  const writer = async (slotFile: SlotFile): Promise<void> => {
    for (let slots = free.splice(0, BATCH); slots.length > 0; slots = free.splice(0, BATCH)) {
      const names = slots.map(() => name++)
      await storeBlocks(slotFile, runtime, slots, names)
      writeSync(journal, names.map((stored) => `${stored}\n`).join(''))
      process.stdout.write('batch\n')
    }
  }
  await Promise.all(Array.from({ length: WRITERS }, () => writer(file)))
  process.stdout.write('full\n')
}

await main(JSON.parse(process.argv[2]!) as Task)

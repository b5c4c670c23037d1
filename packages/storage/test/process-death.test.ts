import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DiskAllocator } from '../src/index.js'
import { onEachBinding, useRuntime } from './support/bindings.js'
import { blockOf, FINGERPRINT, readSlot, recoveredNames } from './support/blocks.js'
import { bundleProgram, Program } from './support/program.js'
import { TemporaryDirectory } from './support/temporary-directory.js'

const SLOT_BYTES = 65_536
const NUM_SLOTS = 4000
const KILLS = 4

const programs = new TemporaryDirectory()
let program = ''
beforeAll(async () => {
  program = await bundleProgram(new URL('./support/slot-process.ts', import.meta.url), programs.path)
})
afterAll(() => programs[Symbol.dispose]())

onEachBinding((makeBinding, bindingName) => {
  const task = (world: TemporaryDirectory, more: object) => ({
    mode: 'write',
    binding: bindingName,
    root: world.at('cache'),
    journal: world.at('journal'),
    numSlots: NUM_SLOTS,
    slotBytes: SLOT_BYTES,
    ...more,
  })

  test('a directory that a second process holds is locked, says by whom, and is free when that one was killed', async () => {
    using world = new TemporaryDirectory()
    await using runtime = useRuntime(makeBinding())
    await using holder = new Program(program, task(world, { mode: 'hold' }))
    expect(await holder.line()).toBe('open')
    const open = () =>
      new DiskAllocator(world.at('cache'), { runtime }).openSlots({
        fingerprint: FINGERPRINT,
        numSlots: NUM_SLOTS,
        slotBytes: SLOT_BYTES,
      })
    await expect(open()).rejects.toThrow(new RegExp(`is in use: process ${holder.pid} holds its lock`))
    await holder.kill()
    await (await open()).close()
  })

  test('a process that holds a directory ends with the one that started it', async () => {
    using world = new TemporaryDirectory()
    await using holder = new Program(program, task(world, { mode: 'hold' }))
    expect(await holder.line()).toBe('open')
    expect(await holder.leave()).toBe(0)
  })

  test(`after SIGKILL while writing everything in the journal is found again, byte for byte (${KILLS} deaths in a row)`, async () => {
    using world = new TemporaryDirectory()
    await using runtime = useRuntime(makeBinding())
    let free = Array.from({ length: NUM_SLOTS }, (_, slot) => slot)
    for (let death = 0; death < KILLS; death++) {
      await dieWhileWriting(task(world, { slots: free, firstName: death * 1_000_000 }), 5 + death * 9)
      const found = await verify(world, runtime)
      const journal = readFileSync(world.at('journal'), 'utf8').split('\n').slice(0, -1).map(Number)
      expect(journal.length).toBeGreaterThan(0)
      expect(journal.filter((name) => !found.has(name))).toEqual([])
      const used = new Set(found.values())
      free = free.filter((slot) => !used.has(slot))
    }
  })

  async function dieWhileWriting(work: object, batches: number): Promise<void> {
    await using writer = new Program(program, work)
    for (let line = 0; line < batches; line++) expect(await writer.line()).not.toBe('full')
    await writer.kill()
  }

  /** Opens, checks the bytes of every block found, and gives names and slots. */
  async function verify(
    world: TemporaryDirectory,
    runtime: ReturnType<typeof useRuntime>,
  ): Promise<Map<number, number>> {
    const allocator = new DiskAllocator(world.at('cache'), { runtime })
    const file = await allocator.openSlots({ fingerprint: FINGERPRINT, numSlots: NUM_SLOTS, slotBytes: SLOT_BYTES })
    const found = recoveredNames(file)
    for (const [name, slot] of found) {
      const bytes = await readSlot(file, runtime, slot)
      expect(Buffer.compare(bytes, blockOf(name, SLOT_BYTES)), `block ${name} in slot ${slot}`).toBe(0)
    }
    await file.close()
    return found
  }
})

import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Manager } from '../src/index.js'
import { bundleProgram, ChildProgram } from './support/child-program.js'
import { bytesOf, MODEL, PROMPT_BLOCKS, promptOf } from './support/content.js'
import { expectNothingHeld, openManager, temporaryDirectory } from './world.js'

/** Deaths in a row; 20 of them take a minute. */
const KILLS = Number(process.env.KVBM_KILLS ?? 3)
/** More than all processes together can fill: nothing is evicted. */
const DISK_BLOCKS = 20_000
const PROMPTS_PER_LIFE = 2000

const programs = temporaryDirectory()
let program = ''
beforeAll(async () => {
  program = await bundleProgram(new URL('./support/doomed-process.ts', import.meta.url), programs.path)
})
afterAll(() => programs[Symbol.dispose]())

test(`killed ${KILLS} times under load, the disk tier has every block that it said was stored, and no wrong byte`, async () => {
  using world = temporaryDirectory()
  const [path, journal] = [`${world.path}/cache`, `${world.path}/journal`]
  let survived = 0
  for (let life = 0; life < KILLS; life++) {
    const firstPrompt = life * PROMPTS_PER_LIFE
    await dieServing({ mode: 'serve', path, journal, firstPrompt, diskBlocks: DISK_BLOCKS }, 3 + life * 11)
    await using manager = await openManager({ more: { model: MODEL }, disk: { numBlocks: DISK_BLOCKS, path } })
    const found = await verifyAll(manager, (life + 1) * PROMPTS_PER_LIFE)
    const stored = readFileSync(journal, 'utf8').split('\n').slice(0, -1)
    expect(stored.length).toBeGreaterThan(survived)
    expect(stored.filter((hex) => !found.has(hex))).toEqual([])
    const { blocks } = manager.status().tiers.disk!
    expect([blocks.inactive, blocks.quarantined, manager.status().corrupt.disk]).toEqual([found.size, 0, 0])
    survived = found.size
    expectNothingHeld(manager)
  }
})

test('a process that serves ends with the one that started it', async () => {
  using world = temporaryDirectory()
  const [path, journal] = [`${world.path}/cache`, `${world.path}/journal`]
  await using child = new ChildProgram(program, { mode: 'serve', path, journal, firstPrompt: 0, diskBlocks: 64 })
  expect(await child.line()).toBe('stored')
  expect(await child.leave()).toBe(0)
})

async function dieServing(task: object, lines: number): Promise<void> {
  await using child = new ChildProgram(program, task)
  for (let line = 0; line < lines; line++) expect(await child.line()).toBe('stored')
  await child.kill()
}

/** Reads every block that is there and compares it with what its name says. */
async function verifyAll(manager: Manager, prompts: number): Promise<Set<string>> {
  const found = new Set<string>()
  for (let prompt = 0; prompt < prompts; prompt++) {
    const hashes = manager.hash(promptOf(prompt))
    const present = manager.disk.scan(hashes)
    for (let index = 0; index < PROMPT_BLOCKS; index++) {
      if (present[index] === 0) continue
      using blocks = manager.disk.match(hashes.subarray(index, index + 1))
      expect(Buffer.compare(await manager.read(blocks), bytesOf(blocks.hashes))).toBe(0)
      found.add(hashes.hex(index))
    }
  }
  return found
}

test('a reader that waits for its writer to go does not keep its process alive', async () => {
  using world = temporaryDirectory()
  const [path, journal] = [`${world.path}/cache`, `${world.path}/journal`]
  await using _writer = await openManager({ more: { model: MODEL }, disk: { numBlocks: 16, path } })
  const task = { mode: 'idle', path, journal, firstPrompt: 0, diskBlocks: 16, access: 'shared' }
  await using child = new ChildProgram(program, task)
  expect(await child.end()).toBe(0)
})

test('a manager that is left open does not keep its process alive, and loses nothing by it', async () => {
  using world = temporaryDirectory()
  const [path, journal] = [`${world.path}/cache`, `${world.path}/journal`]
  await using child = new ChildProgram(program, { mode: 'idle', path, journal, firstPrompt: 0, diskBlocks: 16 })
  expect(await child.end()).toBe(0)
  await using manager = await openManager({ more: { model: MODEL }, disk: { numBlocks: 16, path } })
  expect((await verifyAll(manager, 1)).size).toBe(PROMPT_BLOCKS)
})

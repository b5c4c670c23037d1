import { afterAll, beforeAll, expect, test } from 'vitest'
import { bundleProgram, ChildProgram } from './support/child-program.js'
import { bytesOf, MODEL, promptOf } from './support/content.js'
import type { SharedReport } from './support/shared-process.js'
import { expectNothingHeld, openManager, temporaryDirectory } from './world.js'

const PROCESSES = 4
/** Far fewer than one process's prompts have blocks: its writer overwrites slots all the time. */
const DISK_BLOCKS = 96
const PROMPTS = 80
/** Blocks that a process reads from disk before the next one is killed. */
const READS = 30

const programs = temporaryDirectory()
let program = ''
beforeAll(async () => {
  program = await bundleProgram(new URL('./support/shared-process.ts', import.meta.url), programs.path)
})
afterAll(() => programs[Symbol.dispose]())

test('four processes share one disk tier under load while writers are killed: one takes over each time, no wrong byte', async () => {
  using world = temporaryDirectory()
  await using crowd = new Crowd(world.path)
  let writer = await crowd.writer()
  while (crowd.size > 1) {
    await crowd.everyone((report) => report.read[writer.index]! >= READS)
    await crowd.readers((report) => report.readOnly > 0)
    await crowd.kill(writer)
    const heir = await crowd.writer()
    expect(heir).not.toBe(writer)
    await heir.until((report) => report.stored > 0)
    writer = heir
  }
  await writer.until((report) => report.read[writer.index]! >= READS)
  await crowd.kill(writer)
  expect(crowd.corrupt).toBe(0)
  await using manager = await openManager({
    more: { model: MODEL },
    disk: { numBlocks: DISK_BLOCKS, path: world.path },
  })
  let found = 0
  for (let prompt = 0; prompt < PROCESSES * PROMPTS; prompt++) {
    using blocks = manager.disk.match(manager.hash(promptOf(prompt)))
    expect(bytesOf(blocks.hashes).equals(await manager.read(blocks))).toBe(true)
    found += blocks.count
  }
  expect(found).toBeGreaterThan(0)
  expectNothingHeld(manager)
}, 120_000)

test('a process that shares a directory ends with the one that started it', async () => {
  using world = temporaryDirectory()
  const task = { path: world.path, diskBlocks: DISK_BLOCKS, process: 0, processes: 1, prompts: PROMPTS }
  await using child = new ChildProgram(program, task)
  expect(await child.line()).toContain('writer')
  expect(await child.leave()).toBe(0)
})

class Member {
  readonly index: number
  readonly #child: ChildProgram
  last: SharedReport | undefined

  constructor(index: number, path: string) {
    this.index = index
    const task = { path, diskBlocks: DISK_BLOCKS, process: index, processes: PROCESSES, prompts: PROMPTS }
    this.#child = new ChildProgram(program, task)
  }

  async next(): Promise<SharedReport> {
    this.last = JSON.parse(await this.#child.line()) as SharedReport
    return this.last
  }

  async until(isThere: (report: SharedReport) => boolean): Promise<void> {
    while (!isThere(await this.next()));
  }

  kill(): Promise<void> {
    return this.#child.kill()
  }
}

class Crowd implements AsyncDisposable {
  readonly #members: Set<Member>
  corrupt = 0

  constructor(path: string) {
    this.#members = new Set(Array.from({ length: PROCESSES }, (_, index) => new Member(index, path)))
  }

  get size(): number {
    return this.#members.size
  }

  /** Waits until one of them says that it writes; then all others say that they read. */
  async writer(): Promise<Member> {
    for (;;) {
      const reports = await Promise.all(
        [...this.#members].map(async (member) => ({ member, ...(await member.next()) })),
      )
      const writers = reports.filter(({ role }) => role === 'writer')
      expect(writers.length).toBeLessThan(2)
      if (writers.length === 1) return writers[0]!.member
    }
  }

  async everyone(isThere: (report: SharedReport) => boolean): Promise<void> {
    await Promise.all([...this.#members].map((member) => member.until(isThere)))
  }

  async readers(isThere: (report: SharedReport) => boolean): Promise<void> {
    await Promise.all(
      [...this.#members].map((member) => member.until((report) => report.role === 'writer' || isThere(report))),
    )
  }

  async kill(member: Member): Promise<void> {
    this.corrupt += member.last!.corrupt
    this.#members.delete(member)
    await member.kill()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#members].map((member) => member.kill()))
  }
}

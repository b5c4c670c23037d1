import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { resolveModel } from '@kvbm/node-llama-cpp/models'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DemoProgram, endOf, untilSaid } from './demo-program.js'

let demo: DemoProgram
beforeAll(async () => {
  demo = await DemoProgram.bundle()
})
afterAll(() => demo[Symbol.asyncDispose]())

/** With one thread: on a busy machine two wait for each other all the time. */
const TINY = ['chat', '--model', 'random:tiny', '--threads', '1'] as const

interface Row {
  readonly prompt: number
  readonly cached: number
  readonly from: string
}

function rowsOf(table: string): Row[] {
  const rows = table.matchAll(/^ {2}\S.*? {2,}(\d+) +(\d+) +(\S+) +\d+ ms/gm)
  return [...rows].map(([, prompt, cached, from]) => ({ prompt: Number(prompt), cached: Number(cached), from: from! }))
}

test('a question is answered cold, then from the cache, half from it, and from disk after a SIGKILL', async () => {
  const dir = demo.path('kept')
  const { code, stdout } = await demo.run(...TINY, '--dir', dir)
  expect(code).toBe(0)
  expect(stdout).toMatch(/^ {2}Random weights .* the text is not\.$/m)
  const [cold, again, half, restarted, ...more] = rowsOf(stdout)
  expect(more).toEqual([])
  const { prompt } = cold!
  expect(cold).toMatchObject({ cached: 0, from: '–' })
  expect(again).toMatchObject({ prompt, cached: prompt - 1 })
  expect(half!.cached).toBeGreaterThan(0.3 * prompt)
  expect(half!.cached).toBeLessThan(0.7 * prompt)
  expect(restarted).toMatchObject({ prompt, from: 'disk' })
  expect(restarted!.cached).toBeGreaterThan(prompt - 17)
  expect(stdout).toContain(`${dir},`)
  expect(stdout).toMatch(/MB, kept$/m)
})

test('Ctrl-C ends the server; the model it wrote is named, and what was temporary is gone', async () => {
  const child = demo.start(...TINY, '--no-scene')
  const ended = endOf(child)
  const [address] = await untilSaid(child, /http:\/\/127\.0\.0\.1:\d+\/\?token=\S+/)
  expect((await fetch(address)).status).toBe(200)
  child.kill('SIGINT')
  const { code, stdout } = await ended
  expect(code).toBe(0)
  const [, model] = /The model: +(\S+)/.exec(stdout)!
  const [, cache] = /The cache: +(\S+), \d+ MB, removed now/.exec(stdout)!
  expect([existsSync(model!), existsSync(cache!)]).toEqual([true, false])
  await expect(fetch(address)).rejects.toThrow()
})

test('a port that is taken is said in words', async () => {
  await using taken = createServer()
  await once(taken.listen(0, '127.0.0.1'), 'listening')
  const { port } = taken.address() as AddressInfo
  const { code, stderr } = await demo.run(...TINY, '--port', String(port))
  expect(code).toBe(1)
  expect(stderr).toContain(`port: ${port} is in use`)
})

test.each([
  ['a model that is none', ['--model', 'broken.gguf'], /broken\.gguf cannot be loaded/],
  ['a directory that is none', ['--dir', 'broken.gguf'], /broken\.gguf/],
])('%s is said in words', async (_, flags, words) => {
  const broken = demo.path('broken.gguf')
  const { path } = await resolveModel('random:tiny', { directory: demo.path('models') })
  writeFileSync(broken, readFileSync(path).subarray(0, 300_000))
  const { code, stderr } = await demo.run(...TINY, ...flags.map((flag) => flag.replace('broken.gguf', broken)))
  expect(code).toBe(1)
  expect(stderr).toMatch(words)
})

test('killed by anybody, the server comes back at its address', async () => {
  const child = demo.start(...TINY, '--no-scene')
  const ended = endOf(child)
  const [address] = await untilSaid(child, /http:\/\/127\.0\.0\.1:\d+\/\?token=\S+/)
  const { origin, searchParams } = new URL(address)
  const headers = { 'X-Kvbm-Token': searchParams.get('token')! }
  const pid = async (): Promise<number> => {
    const response = await fetch(`${origin}/demo/config`, { headers })
    return ((await response.json()) as { pid: number }).pid
  }
  const killed = await pid()
  process.kill(killed, 'SIGKILL')
  await expect.poll(() => pid().catch(() => killed), { timeout: 30_000 }).not.toBe(killed)
  child.kill('SIGINT')
  expect((await ended).code).toBe(0)
})

test('a directory that another demo uses is said, and that one keeps its blocks', async () => {
  const dir = demo.path('busy')
  const first = demo.start(...TINY, '--no-scene', '--dir', dir)
  const firstEnded = endOf(first)
  await untilSaid(first, /token=/)
  const { code, stderr } = await demo.run(...TINY, '--dir', dir)
  first.kill('SIGINT')
  await firstEnded
  expect(code).toBe(1)
  expect(stderr).toMatch(/process \d+ holds its lock/)
})

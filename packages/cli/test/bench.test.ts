import { readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { afterAll, describe, expect, test } from 'vitest'
import { busyNote } from '../src/bench.js'
import { spreadOf } from '../src/spread.js'
import { CacheWorld } from './support/cache-world.js'
import { findEngine } from './support/find-engine.js'
import { Kvbm } from './support/kvbm.js'

const reason = await findEngine()
const kvbm = new Kvbm({ withPeers: true })
const alone = new Kvbm()
afterAll(() => {
  kvbm[Symbol.dispose]()
  alone[Symbol.dispose]()
})

describe.skipIf(reason !== undefined)(`with an engine${reason === undefined ? '' : ` (skipped: ${reason})`}`, () => {
  test('cold, host and disk of each prefix, with spread, stored bytes and the same bits', async () => {
    using world = new CacheWorld()
    const env = { KVBM_MODELS_DIR: world.at('models') }
    const before = benchDirectories()
    const args = ['bench', '--model', 'random:tiny', '--cpu', '--threads', '1', '--prefix', '64,320', '--rounds', '2']
    const { code, out, err } = await kvbm.run([...args, '--json'], { env })
    expect({ code, err }).toEqual({ code: 0, err: expect.any(String) })
    const { device, prefixes } = JSON.parse(out)
    expect(device).toBe('CPU')
    expect(prefixes).toHaveLength(2)
    for (const [index, prefixTokens] of [64, 320].entries()) {
      const { cold, host, disk, storedBytes, restored, difference, ...row } = prefixes[index]
      expect(row).toEqual({ prefixTokens })
      for (const { n, least, median, most } of [cold, host, disk]) {
        expect(n).toBe(2)
        expect(least).toBeLessThanOrEqual(median)
        expect(median).toBeLessThanOrEqual(most)
      }
      expect(storedBytes).toBeGreaterThan(0)
      // Every reopened cache has measured nothing yet, so it restores.
      expect(restored.disk).toBe(2)
      expect(difference).toBe(0)
    }
    expect(benchDirectories()).toEqual(before)
  })

  test('a table that begins with what the model is', async () => {
    using world = new CacheWorld()
    const env = { KVBM_MODELS_DIR: world.at('models') }
    const args = ['bench', '--model', 'random:tiny', '--cpu', '--threads', '1', '--prefix', '64', '--rounds', '1']
    const { out } = await kvbm.run(args, { env })
    const [label, setup, , head, row] = out.split('\n')
    expect(label).toMatch(/random/i)
    expect(setup).toBe('CPU, 1 threads, batch 512, flash attention; 1 rounds; milliseconds')
    expect(head).toMatch(/^PREFIX +COLD +HOST +GAIN +DISK +GAIN +STORED +SAME BITS$/)
    expect(row).toMatch(/^ +64 .* times .* times .* KiB +yes$/)
  })
})

test('without an engine it fails with the command that installs one', async () => {
  for (const command of ['bench', 'serve']) {
    const { code, err } = await alone.run([command])
    expect(code).toBe(1)
    expect(err).toContain(`kvbm ${command} needs an engine.`)
    expect(err).toContain('npm install @kvbm/node-llama-cpp node-llama-cpp')
  }
})

test.each([
  [['bench', '--prefix', '100'], /--prefix: expected multiples of 16, the tokens of a block, got 100/],
  [['bench', '--prefix', '64,,128'], /--prefix: expected a whole number from 32 on, got ''/],
  [['bench', '--rounds', '0'], /--rounds: expected a whole number from 1 on, got '0'/],
])('wrong usage %j', async (args, message) => {
  const { code, err } = await alone.run(args)
  expect(code).toBe(2)
  expect(err).toMatch(message)
})

test('a busy machine is named, an idle one is not', () => {
  expect(busyNote(3.04, 4)).toBe(
    'This machine is busy (load 3.0 on 4 cores): times will be off. Try again when it is idle.',
  )
  expect(busyNote(2, 4)).toBe('')
})

test('the median of an even number of rounds lies between the middle two', () => {
  expect(spreadOf([4, 1, 3, 2])).toEqual({ median: 2.5, least: 1, most: 4, n: 4 })
  expect(spreadOf([5])).toEqual({ median: 5, least: 5, most: 5, n: 1 })
})

function benchDirectories(): string[] {
  return readdirSync(tmpdir()).filter((name) => name.startsWith('kvbm-bench-'))
}

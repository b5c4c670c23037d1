import { once } from 'node:events'
import { readdirSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Report } from '../src/report.js'
import { DemoProgram, endOf } from './demo-program.js'

let demo: DemoProgram
beforeAll(async () => {
  demo = await DemoProgram.bundle()
})
afterAll(() => demo[Symbol.asyncDispose]())

const SMALL = ['--device-blocks', '100', '--host-blocks', '400', '--disk-blocks', '4000', '--block-bytes', '4096']
const QUICK = [...SMALL, '--requests', '150', '--no-crash']

/** The report of a run that must end well. */
async function reportOf(...args: string[]): Promise<Report> {
  const { code } = await demo.run('replay', ...args, '--json', demo.path('report.json'))
  expect(code).toBe(0)
  return demo.readJson<Report>('report.json')
}

function temporaryDirectories(): string[] {
  return readdirSync(demo.path('')).filter((name) => name.startsWith('kvbm-demo-'))
}

describe('the report as data', () => {
  test('keeps its contract', async () => {
    const report = await reportOf(...QUICK)
    const anyNumber = expect.any(Number)
    const tier = { blocks: anyNumber, hit: anyNumber, used: anyNumber }
    const edge = { blocks: anyNumber, bytes: anyNumber, seconds: anyNumber, gbPerSecond: anyNumber, dropped: anyNumber }
    const stage = { count: anyNumber, p50: anyNumber, p90: anyNumber, p99: anyNumber }
    expect(report).toMatchObject({
      requests: 150,
      isInterrupted: false,
      seconds: anyNumber,
      blocks: { seen: anyNumber, hit: anyNumber, stored: anyNumber, verified: anyNumber, wrong: 0 },
      hitRatio: anyNumber,
      infiniteHitRatio: anyNumber,
      tokens: { device: anyNumber, host: anyNumber, disk: anyNumber, computed: anyNumber },
      tiers: { device: tier, host: tier, disk: tier },
      edges: { 'device-host': edge, 'host-disk': edge, 'host-device': edge, 'disk-host': edge },
      stages: { hash: stage, match: stage, onboard: stage, verify: stage, compute: stage, 'whole request': stage },
      memoryBytes: anyNumber,
      diskBytes: anyNumber,
      machine: { cpu: expect.any(String), cores: anyNumber, binding: expect.stringMatching(/^(native|portable)$/) },
    })
  })

  test('adds up', async () => {
    const { blocks, tiers, tokens, edges, stages, hitRatio, infiniteHitRatio } = await reportOf(...QUICK)
    expect(hitRatio).toBe(blocks.hit / blocks.seen)
    expect(hitRatio).toBeLessThanOrEqual(infiniteHitRatio)
    expect(blocks.verified).toBe(blocks.hit)
    expect(tiers.device.hit + tiers.host.hit + tiers.disk.hit).toBe(blocks.hit)
    expect(blocks.stored).toBeLessThanOrEqual(blocks.seen - blocks.hit)
    expect(tokens.device + tokens.host + tokens.disk + tokens.computed).toBe(512 * blocks.seen)
    expect([tiers.device.blocks, tiers.host.blocks, tiers.disk.blocks]).toEqual([100, 400, 4000])
    expect(tiers.disk.hit).toBeGreaterThan(0)
    expect(edges['host-disk']!.bytes).toBe(4096 * edges['host-disk']!.blocks)
    expect(edges['host-disk']!.blocks).toBe(tiers.disk.used)
    expect(stages.match!.count).toBe(150)
  })
})

describe('any one or two tiers serve, and every byte is right', () => {
  test.each([
    ['device alone', ['device']],
    ['host alone', ['host']],
    ['disk alone, through staging', ['disk']],
    ['device and disk', ['device', 'disk']],
    ['host and disk', ['host', 'disk']],
  ])('%s', async (_, kept) => {
    const off = ['device', 'host', 'disk'].filter((tier) => !kept.includes(tier))
    const { blocks, tiers } = await reportOf(...QUICK, ...off.flatMap((tier) => [`--${tier}-blocks`, '0']))
    expect(blocks.wrong).toBe(0)
    expect(blocks.hit).toBeGreaterThan(0)
    for (const [tier, { hit, used }] of Object.entries(tiers)) {
      expect(used > 0, tier).toBe(kept.includes(tier))
      if (!kept.includes(tier)) expect(hit).toBe(0)
    }
  })
})

test('a directory that is given is kept, and serves the next run', async () => {
  const kept = [...QUICK, '--dir', demo.path('kept')]
  const first = await reportOf(...kept)
  const second = await reportOf(...kept)
  expect(first.hitRatio).toBeLessThanOrEqual(first.infiniteHitRatio)
  expect(second.hitRatio).toBeGreaterThan(0.8)
  expect(second.tiers.disk.hit).toBeGreaterThan(0)
  expect(second.blocks.wrong).toBe(0)
})

test('the report is for people, too; after it a process is killed and all that it had committed is there', async () => {
  const args = ['replay', ...SMALL, '--requests', '100', '--json', demo.path('crash.json')]
  const { code, stdout, stderr } = await demo.run(...args)
  expect(stderr).toMatch(/^ {2}1 of 100 requests, .* of \d+ blocks cached, 0 wrong\n/)
  expect(stdout).toMatch(/^100 requests, [\d,]+ blocks in [\d.]+ s$/m)
  expect(stdout).toMatch(/computed .* tokens$/m)
  expect(stdout).toMatch(/Verified .* blocks byte for byte, 0 wrong$/m)
  expect(stdout).toMatch(/verified against bytes recomputed from their hashes: 0 lost, 0 wrong/)
  const { crash } = demo.readJson<Report>('crash.json')
  expect(crash).toMatchObject({ lost: 0, wrong: 0, verified: crash!.survived, requests: 100 })
  expect(crash!.committed).toBeGreaterThan(0)
  expect(crash!.survived).toBeGreaterThanOrEqual(crash!.committed)
  expect(code).toBe(0)
  expect(temporaryDirectories()).toEqual([])
})

test('without a disk tier it says why no process is killed', async () => {
  const { code, stdout } = await demo.run('replay', ...SMALL, '--requests', '5', '--disk-blocks', '0')
  expect(stdout).toContain('No process is killed: without a disk tier nothing would survive it.')
  expect(code).toBe(0)
})

test('Ctrl-C ends cleanly with the report so far', async () => {
  const endless = [...SMALL, '--requests', '1000000000', '--json', demo.path('interrupted.json')]
  const child = demo.start('replay', ...endless)
  const ended = endOf(child)
  await once(child.stderr, 'data') // a line of progress
  expect(temporaryDirectories()).toHaveLength(1)
  child.kill('SIGINT')
  const { code, stdout, stderr } = await ended
  expect(code).toBe(0)
  expect(stderr).toMatch(/of 1000000000 requests.*\n/)
  expect(stderr).toContain('Stopping (Ctrl-C again ends at once)')
  expect(stdout).toMatch(/requests, .* \(interrupted\)$/m)
  expect(stdout).not.toContain('And now a crash')
  const report = demo.readJson<Report>('interrupted.json')
  expect(report).toMatchObject({ isInterrupted: true, blocks: { wrong: 0 } })
  expect(report.requests).toBeGreaterThan(0)
  expect(temporaryDirectories()).toEqual([])
})

test('killed and reopened again and again, a directory has all that was ever committed', async () => {
  const { code, stdout } = await demo.run('kills', '--runs', '3', '--lives', '2', '--json', demo.path('kills.json'))
  expect(stdout).toContain('3 of 3 times nothing was lost and nothing wrong.')
  expect(code).toBe(0)
  const report = demo.readJson<Record<string, number>>('kills.json')
  expect(report).toMatchObject({ runs: 3, intact: 3, lives: 2, lost: 0, wrong: 0, failures: [] })
  // Two lives share a directory: the blocks of the first are verified twice.
  expect(report.verified).toBeGreaterThan(report.committed!)
  expect(temporaryDirectories()).toEqual([])
})

describe('what cannot be used ends with 2 and one line', () => {
  const LINE = '{"timestamp": 1, "input_length": 9, "output_length": 1, "hash_ids": [1]}'

  test.each([
    [['replay', '--request', '5'], 'There is no flag --request. Did you mean --requests? See --help.'],
    [['repaly'], "There is no scene 'repaly'. There are: chat, replay, kills. See --help."],
    [['kills', '--runs', '0'], "--runs: expected a whole number from 1 to 100000, got '0'. See --help."],
  ])('%j', async (args, line) => {
    expect(await demo.run(...args)).toEqual({ code: 2, stdout: '', stderr: `${line}\n` })
  })

  test('a malformed line, before anything is served', async () => {
    writeFileSync(demo.path('bad.jsonl'), `${LINE}\nhello\n`)
    const { code, stdout, stderr } = await demo.run('replay', '--trace', demo.path('bad.jsonl'))
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toBe(`${demo.path('bad.jsonl')}:2: not a JSON object: hello\n`)
  })

  test('a directory for files that is none', async () => {
    const { code, stderr } = await demo.run('replay', '--json', demo.path('no/such/folder.json'))
    expect(code).toBe(2)
    expect(stderr).toMatch(/^--json: this file cannot be written: .*ENOENT.*\.\n$/)
  })

  test('a directory that another process uses', async () => {
    const args = ['replay', ...SMALL, '--requests', '1000000000', '--dir', demo.path('busy')]
    const child = demo.start(...args)
    const ended = endOf(child)
    await once(child.stderr, 'data')
    const second = await demo.run('replay', ...QUICK, '--dir', demo.path('busy'))
    child.kill('SIGINT')
    await ended
    expect(second).toMatchObject({ code: 2, stdout: '' })
    expect(second.stderr).toMatch(/^The cache directory .*busy.* is in use.*\n$/)
  })
})

test('--help tells what the scenes and their flags are', async () => {
  const { code, stdout } = await demo.run('--help')
  expect(code).toBe(0)
  expect(stdout).toMatch(/--model MODEL/)
  expect(stdout).toMatch(/^ {2}replay +\S.*\n {2}kills +\S/m)
  expect((await demo.run('replay', '--help')).stdout).toMatch(/--block-bytes N .*multiple of 4096/)
  expect((await demo.run('kills', '--help')).stdout).toContain('--runs N')
})

import { existsSync, mkdirSync, readdirSync, renameSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { setImmediate } from 'node:timers/promises'
import { KvbmError } from '@kvbm/core'
import { Registry } from 'prom-client'
import { describe, expect, test } from 'vitest'
import { type KvCache, openKvCache, readModelNote } from '../src/index.js'
import { ManualClock, MemoryDriver, MemoryEngine } from '../src/testing/index.js'
import { ask, openWorld, prompt, RecordingLogger, TemporaryDirectory } from './world.js'

/** One model of its own on a cache. */
function model(kv: KvCache, seed: number, name = `model-${seed}`) {
  const engine = new MemoryEngine({ seed })
  return { engine, connector: kv.connect(new MemoryDriver(engine, { through: 'file', name })) }
}

const states = (kv: KvCache) => Object.fromEntries(kv.status().models.map(({ name, state }) => [name, state]))

describe('options', () => {
  test.each([
    [{ host: 0 }, /host: expected memory for blocks on their way/],
    [{ host: 'much' }, /24GiB/],
    [{ modelsMax: 0 }, /modelsMax/],
    [{ pageSize: 1.5 }, /pageSize/],
    [{ maxStallMs: -1 }, /maxStallMs/],
    [{ dir: '' }, /dir/],
  ])('%o is refused with its name', async (options, message) => {
    await expect(openKvCache(options)).rejects.toThrow(RangeError)
    await expect(openKvCache(options)).rejects.toThrow(message)
  })

  test('a directory that is not ours is refused at once', async () => {
    using directory = new TemporaryDirectory()
    symlinkSync('/tmp', directory.at('link'))
    await expect(openKvCache({ dir: directory.at('link') })).rejects.toSatisfy((error) =>
      KvbmError.is(error, 'KVBM_DIRECTORY_FOREIGN'),
    )
  })

  test('an aborted signal is a rejection; aborting it later closes', async () => {
    await expect(openKvCache({ signal: AbortSignal.abort(new Error('no')) })).rejects.toThrow('no')
    const abort = new AbortController()
    const kv = await openKvCache({ signal: abort.signal })
    abort.abort()
    expect(kv.status().state).toBe('closed')
    await kv.close()
  })

  test('without a directory, or with no disk, there is only host memory', async () => {
    using directory = new TemporaryDirectory()
    for (const cache of [{}, { dir: directory.at('none'), disk: 0 }]) {
      await using world = await openWorld({ cache })
      await ask(world, prompt(100))
      expect(world.kv.status().models[0]?.disk).toEqual({ state: 'off', reason: 'no disk was asked for' })
      expect(Object.keys(world.kv.status().models[0]?.manager?.tiers ?? {})).toEqual(['host'])
    }
    expect(existsSync(directory.at('none'))).toBe(false)
  })
})

describe('contexts', () => {
  test('one that is closed is forgotten, so that its engine can go', async () => {
    await using kv = await openKvCache()
    const [first, second] = [model(kv, 1), model(kv, 1)]
    expect(kv.status().contexts).toBe(2)
    await Promise.all([first.connector.close(), first.connector.close()])
    expect(kv.status().contexts).toBe(1)
    await second.connector.close()
    expect(kv.status().contexts).toBe(0)
  })

  test('closing drops captures that take too long, but waits for the engine that saves, and says so', async () => {
    const [clock, logger] = [new ManualClock(), new RecordingLogger()]
    const world = await openWorld({ cache: { clock, logger } })
    await world.connector.ready()
    world.engine.saveGate.close()
    for (const seed of [1, 2]) {
      const slot = world.engine.slot()
      await world.engine.evaluate(slot, prompt(100, seed))
      const session = world.connector.open(prompt(100, seed))
      session.capture({}, slot)
      await session.finish()
    }
    await world.engine.saveGate.reached()
    let closed = false
    const closing = world.kv.close().then(() => {
      closed = true
    })
    await setImmediate()
    clock.advance(10_000)
    await setImmediate()
    expect(closed).toBe(false)
    expect(logger.warnings).toEqual([expect.stringContaining('10000 ms')])
    expect(world.kv.status().counters.skips).toEqual({ closed: 1 })
    world.engine.saveGate.open()
    await closing
  })
})

describe('several models', () => {
  test('a model opens with its first use, with an equal share of host and disk', async () => {
    using directory = new TemporaryDirectory()
    await using kv = await openKvCache({ dir: directory.path, host: '8MiB', disk: '64MiB', modelsMax: 4 })
    const one = model(kv, 1)
    expect(states(kv)).toEqual({ 'model-1': 'closed' })
    await ask(one, prompt(100))
    const { host, disk } = kv.status().models[0]!.manager!.tiers
    expect(host!.capacityBytes).toBe(2 * 2 ** 20)
    expect(disk!.capacityBytes).toBeGreaterThan(14 * 2 ** 20)
    expect(disk!.capacityBytes).toBeLessThanOrEqual(16 * 2 ** 20)
  })

  test('contexts of one model share its blocks', async () => {
    await using kv = await openKvCache({ host: '8MiB' })
    await ask(model(kv, 1), prompt(100))
    expect((await ask(model(kv, 1), prompt(100))).report.cachedTokens).toBe(96)
    expect(kv.status().models).toHaveLength(1)
  })

  test('one more closes the least recently used idle one; its disk stays', async () => {
    using directory = new TemporaryDirectory()
    await using kv = await openKvCache({ dir: directory.path, host: '8MiB', disk: '256MiB', modelsMax: 2 })
    const [a, b, c] = [model(kv, 1), model(kv, 2), model(kv, 3)]
    await ask(a, prompt(100))
    await ask(b, prompt(100))
    await ask(a, prompt(100))
    await ask(c, prompt(100))
    expect(states(kv)).toEqual({ 'model-1': 'open', 'model-2': 'closed', 'model-3': 'open' })
    expect((await ask(b, prompt(100))).report.byTier).toMatchObject({ disk: 96 })
    expect(states(kv)).toEqual({ 'model-1': 'closed', 'model-2': 'open', 'model-3': 'open' })
  })

  test('when all are in use one more runs without cache, says so once, and is let in when one ends', async () => {
    const logger = new RecordingLogger()
    await using kv = await openKvCache({ host: '8MiB', modelsMax: 1, logger })
    const [a, b] = [model(kv, 1), model(kv, 2)]
    await a.connector.ready()
    const session = a.connector.open(prompt(50))
    expect((await ask(b, prompt(100))).report.capture).toMatchObject({ state: 'skipped', reason: 'no-cache' })
    await ask(b, prompt(100))
    expect(kv.status().models[1]).toMatchObject({
      state: 'off',
      reason: expect.stringContaining('1 of 1 models are in use'),
    })
    expect(logger.warnings).toEqual([expect.stringContaining('model-2 runs without cache')])
    await session.finish()
    expect((await ask(b, prompt(100))).report.capture).toMatchObject({ state: 'stored' })
  })

  test('a share of host smaller than one block runs without cache and says why', async () => {
    const logger = new RecordingLogger()
    await using kv = await openKvCache({ host: 5000, logger })
    expect((await ask(model(kv, 1), prompt(100))).report.cachedTokens).toBe(0)
    expect(logger.warnings).toEqual([expect.stringMatching(/less than one block of 4 KiB.*Raise host/)])
  })
})

describe('the directory', () => {
  test('another cache that has it: disk off with that reason and one warning, host works', async () => {
    using directory = new TemporaryDirectory()
    const cache = { dir: directory.path, disk: '64MiB' }
    await using first = await openWorld({ cache })
    await ask(first, prompt(100))
    const logger = new RecordingLogger()
    await using second = await openWorld({ cache: { ...cache, logger } })
    await ask(second, prompt(100))
    expect((await ask(second, prompt(100))).report.byTier).toMatchObject({ host: 96 })
    expect(second.kv.status().models[0]?.disk).toMatchObject({
      state: 'off',
      reason: expect.stringContaining('holds its lock'),
    })
    expect(logger.warnings).toEqual([expect.stringContaining('the disk tier is off, the host tier works')])
  })

  test('two caches on one directory with different models both have their disk', async () => {
    using directory = new TemporaryDirectory()
    const cache = { dir: directory.path, disk: '256MiB' }
    await using first = await openWorld({ cache })
    await using second = await openWorld({ cache, engine: { seed: 2 } })
    await Promise.all([ask(first, prompt(100)), ask(second, prompt(100))])
    for (const world of [first, second]) expect(world.kv.status().models[0]?.disk.state).toBe('ok')
  })

  test('models that nobody has open make room, the longest unused first', async () => {
    using directory = new TemporaryDirectory()
    const cache = { dir: directory.path, host: '8MiB', disk: '12MiB', modelsMax: 2 }
    const names: string[] = []
    for (const seed of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]) {
      await using world = await openWorld({ cache, engine: { seed } })
      await ask(world, prompt(400))
      expect(world.kv.status().models[0]?.disk.state).toBe('ok')
      for (const name of subdirectories(directory)) if (!names.includes(name)) names.push(name)
    }
    const left = subdirectories(directory)
    expect(names).toHaveLength(10)
    expect(left.length).toBeLessThan(10)
    expect([...left].sort()).toEqual(names.slice(-left.length).sort())
    expect(bytesOf(directory)).toBeLessThanOrEqual(12 * 2 ** 20)
  })

  test('a model that is open is never removed: the next one has no disk and says why', async () => {
    using directory = new TemporaryDirectory()
    const cache = { dir: directory.path, host: '8MiB', disk: '2MiB', modelsMax: 1 }
    await using first = await openWorld({ cache })
    await ask(first, prompt(400))
    await using second = await openWorld({ cache, engine: { seed: 2 } })
    await ask(second, prompt(400))
    expect(first.kv.status().models[0]?.disk.state).toBe('ok')
    expect(second.kv.status().models[0]?.disk).toMatchObject({
      state: 'off',
      reason: expect.stringContaining('no room'),
    })
    expect(subdirectories(directory)).toHaveLength(1)
  })

  test('a smaller share cuts the file; what is below the cut is still there', async () => {
    using directory = new TemporaryDirectory()
    const engine = { rowBytes: 1024, numLayers: 1, capacityTokens: 2048 }
    const large = { dir: directory.path, host: '32MiB', disk: '33MiB', modelsMax: 1 }
    {
      await using world = await openWorld({ cache: large, engine })
      for (const seed of [1, 2, 3]) await ask(world, prompt(1600, seed))
    }
    const before = bytesOf(directory)
    await using world = await openWorld({ cache: { ...large, disk: '6MiB' }, engine })
    await ask(world, prompt(64, 9))
    expect(bytesOf(directory)).toBeLessThanOrEqual(6 * 2 ** 20)
    expect(bytesOf(directory)).toBeLessThan(before)
    expect((await ask(world, prompt(1600, 1))).report.cachedTokens).toBeGreaterThan(0)
  })

  test('a person finds the name of the model in it', async () => {
    using directory = new TemporaryDirectory()
    await using world = await openWorld({
      cache: { dir: directory.path, disk: '64MiB' },
      driver: { name: 'Smol.gguf' },
    })
    await ask(world, prompt(100))
    const [name] = subdirectories(directory)
    expect(await readModelNote(directory.path, name!)).toBe('Smol.gguf')
    writeFileSync(directory.at(name!, 'model.json'), '{"name":')
    expect(await readModelNote(directory.path, name!)).toBeUndefined()
  })
})

test.each(['removed', 'replaced'])(
  'a directory that is %s while it is open is degraded, with one warning, and answers stay right',
  async (how) => {
    using directory = new TemporaryDirectory()
    const logger = new RecordingLogger()
    await using world = await openWorld({ cache: { dir: directory.at('kv'), disk: '64MiB', logger } })
    const { logits } = await ask(world, prompt(100))
    const disk = () => world.kv.status().models[0]?.disk
    expect(disk()).toEqual({ state: 'ok', reason: '' })
    const [name] = readdirSync(directory.at('kv')).filter((entry) => /^[0-9a-f]{16}$/.test(entry))
    renameSync(directory.at('kv'), directory.at('elsewhere'))
    if (how === 'replaced') mkdirSync(directory.at('kv', name!), { recursive: true })
    await expect.poll(() => disk()?.state, { timeout: 20_000 }).toBe('degraded')
    expect(disk()?.reason).toMatch(/is not there any more|is not the one that was opened|cannot be used/)
    expect(await ask(world, prompt(100))).toMatchObject({ logits, report: { cachedTokens: 96 } })
    await ask(world, prompt(200, 2))
    expect(logger.warnings).toEqual([expect.stringMatching(/^The disk tier is degraded/)])
  },
)

describe('status and end', () => {
  test('status is plain JSON in every state', async () => {
    using directory = new TemporaryDirectory()
    const world = await openWorld({ cache: { dir: directory.path, disk: '64MiB' } })
    const plain = () => expect(JSON.parse(JSON.stringify(world.kv.status()))).toEqual(world.kv.status())
    plain()
    await ask(world, prompt(100))
    plain()
    expect(JSON.parse(JSON.stringify(world.connector.status()))).toEqual(world.connector.status())
    await world.kv.close()
    plain()
    expect(world.kv.status().state).toBe('closed')
  })

  test('close waits for what is on its way to disk, and is idempotent', async () => {
    using directory = new TemporaryDirectory()
    const cache = { dir: directory.path, disk: '64MiB' }
    const world = await openWorld({ cache })
    await world.connector.ready()
    const slot = world.engine.slot()
    await world.engine.evaluate(slot, prompt(1600))
    const session = world.connector.open(prompt(1600))
    session.capture({}, slot)
    void session.finish()
    await Promise.all([world.kv.close(), world.kv.close()])
    await using again = await openWorld({ cache })
    expect((await ask(again, prompt(1600))).report.cachedTokens).toBe(1584)
  })

  test('close ends open sessions and lets go of what they pinned', async () => {
    const world = await openWorld()
    await ask(world, prompt(100))
    const session = world.connector.open(prompt(100))
    session.lookup()
    await world.kv.close()
    expect(world.kv.status().models[0]).toMatchObject({ state: 'closed', users: 0 })
  })

  test('metrics: saved prefill, hit tokens by tier, requested tokens, restores, captures, declines, decisions', async () => {
    const registry = new Registry()
    await using world = await openWorld({ cache: { metricsRegistry: registry as never } })
    await ask(world, prompt(100))
    await ask(world, prompt(100))
    world.engine.faults.support = { ok: false, reason: 'recurrent', detail: '' }
    await ask(world, prompt(100))
    const text = await registry.metrics()
    expect(text).toContain('kvbm_requested_tokens_total 300')
    expect(text).toContain('kvbm_hit_tokens_total{tier="host"} 96')
    expect(text).toContain('kvbm_restores_total 1')
    expect(text).toContain('kvbm_captured_blocks_total 6')
    expect(text).toContain('kvbm_declined_total{reason="recurrent"} 1')
    expect(text).toContain('kvbm_load_decisions_total{reason="not-measured"} 1')
    expect(text).toContain('kvbm_captures_skipped_total{reason="nothing-new"} 1')
    expect(text).toMatch(/kvbm_saved_prefill_seconds_total \d/)
  })

  test('two caches on one registry are added up, and a closed one leaves', async () => {
    const registry = new Registry()
    const first = await openWorld({ cache: { metricsRegistry: registry as never } })
    await using second = await openWorld({ cache: { metricsRegistry: registry as never } })
    await ask(first, prompt(100))
    await ask(second, prompt(50))
    expect(await registry.metrics()).toContain('kvbm_requested_tokens_total 150')
    await first.kv.close()
    expect(await registry.metrics()).toContain('kvbm_requested_tokens_total 50')
  })
})

function subdirectories(directory: TemporaryDirectory): string[] {
  return readdirSync(directory.path).filter((name) => /^[0-9a-f]{16}$/.test(name))
}

function bytesOf(directory: TemporaryDirectory): number {
  return subdirectories(directory).reduce(
    (sum, name) =>
      sum +
      readdirSync(directory.at(name)).reduce(
        (bytes, file) => bytes + statSync(directory.at(name, file)).blocks * 512,
        0,
      ),
    0,
  )
}

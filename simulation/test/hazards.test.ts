import { createTransferRuntime } from '@kvbm/storage'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bytesOf } from '../src/content.js'
import { layGround, runOn } from '../src/ground.js'
import { calmMachine, compute, computeOnDisk, on, openCalmLife } from './support/calm-life.js'

// What block managers before this one got wrong when they moved blocks. The names of the tests say that it cannot happen here;
// histories of the simulation meet all of it, too.

let ground: Disposable
beforeAll(() => {
  ground = layGround()
})
afterAll(() => ground[Symbol.dispose]())

test('(a) a copy that ends with an error is not taken for done: no block gets a name by it', async () => {
  const life = await openCalmLife(calmMachine())
  const { manager, faults, regions, prompts } = life
  await on(life, async () => {
    using kept = await compute(life, 3, 4)
    for (const operation of ['read', 'write'] as const) {
      faults.fail({ region: (operation === 'read' ? regions.device : regions.host)[0]!, operation, code: 'EIO' })
      expect(await manager.offload(kept, { to: 'host' })).toMatchObject({ copied: 0, dropped: { 'io-error': 4 } })
      expect(manager.host.scan(prompts.of(3, 4))).toEqual(new Uint8Array(4))
    }
    expect(manager.host.available).toBe(8)
  })
})

test('(b) what a copy needs is not used for anything else before the copy has ended, however early its caller let go', async () => {
  const machine = calmMachine()
  const life = await openCalmLife(machine, { settings: { stagingBytes: 1 } })
  const { manager, prompts } = life
  await on(life, async () => {
    for (const leaf of [0, 31]) await computeOnDisk(life, leaf, 1)
    life.ground.process.stalls = { chance: 1, mostMs: 1000 }
    using given = manager.disk.match(prompts.of(0, 1))
    using wanted = manager.disk.match(prompts.of(31, 1))
    // There is one block of staging. The first read is given up while it uses it; the second must wait for the end of that.
    await expect(manager.read(given, { deadlineMs: 1 })).rejects.toMatchObject({ code: 'KVBM_DEADLINE' })
    expect(Buffer.from(await manager.read(wanted))).toEqual(bytesOf(wanted.hashes, manager.blockBytes))
  })
})

test('(b) the rows of a job are its own from the call on', async () => {
  const machine = calmMachine()
  const { binding } = machine.start()
  const runtime = createTransferRuntime({ binding, threads: 1 })
  const [source, target] = [Uint8Array.of(1, 2, 3, 4), new Uint8Array(4)]
  const [from, to] = [binding.adoptMemory(source).id, binding.adoptMemory(target).id]
  const runs = Float64Array.of(from, 0, to, 0, 4)
  const copying = runtime.submit({ runs })
  runs.fill(0)
  await machine.until(copying)
  expect(target).toEqual(source)
})

test('(c) two models of different shapes in one process each have their own blocks', async () => {
  const machine = calmMachine()
  const shape = { modelId: 'small', numLayers: 1, outerDim: 1, pageSize: 2, innerDim: 16, dtype: 'fp16' } as const
  const small = await openCalmLife(machine, { model: shape, blockBytes: 64 })
  const large = await openCalmLife(machine, {
    model: { ...shape, modelId: 'large', numLayers: 3, outerDim: 2, innerDim: 128 },
    blockBytes: 3072,
  })
  await machine.until(Promise.all([small, large].map((life) => runOn(life.ground, () => computeOnDisk(life, 7, 5)))))
  for (const life of [small, large]) {
    await on(life, async () => {
      using lease = life.manager.match(life.prompts.of(7, 5))
      expect(lease.byTier.disk).toBe(5)
      using resident = await life.manager.onboard(lease)
      expect(resident.byTier.device).toBe(5)
      const read = await life.manager.read(resident.runs[0]!.blocks)
      expect(Buffer.from(read)).toEqual(bytesOf(resident.hashes, life.manager.blockBytes))
    })
  }
})

test('(d) a transfer longer than every bound goes through in pieces, and nobody stands still', async () => {
  const settings = { stagingBytes: 1, transferBatchMax: 1, offloadConcurrency: 1, offloadQueueMax: 1 }
  const life = await openCalmLife(calmMachine(), { host: undefined, threads: 1, settings })
  await on(life, async () => {
    await computeOnDisk(life, 7, 5)
    using lease = life.manager.match(life.prompts.of(7, 5))
    const calls = Array.from({ length: 4 }, () => life.manager.onboard(lease))
    for (const resident of await Promise.all(calls)) {
      expect(resident.byTier.device).toBe(5)
      resident.release()
    }
  })
})

test('(e) a copy that fails takes nothing down with it: the next one works', async () => {
  const life = await openCalmLife(calmMachine(), { settings: { probeDelayMs: 1, probeDelayMaxMs: 1 } })
  const { manager, faults, regions } = life
  await on(life, async () => {
    for (const region of [...regions.device, ...regions.host, ...regions.disk, ...regions.table]) {
      using kept = await compute(life, 12, 2)
      faults.fail({ region, code: 'EIO' })
      await manager.offload(kept, { to: 'disk' })
      faults.clear()
      expect(manager.status().state).toBe('open')
      expect(await manager.offload(kept, { to: 'disk' })).toMatchObject({ dropped: {} })
      await manager.disk.resetBlocks(life.prompts.of(12, 2))
      kept.release()
      await manager.device.reset()
    }
  })
})

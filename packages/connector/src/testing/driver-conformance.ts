import assert from 'node:assert/strict'
import { createTransferRuntime, type NativeTransferRuntime } from '@kvbm/storage'
import type { KvEngineDriver, KvSupport } from '../engine-driver.js'
import { type BlockFaults, HeldBlocks } from './held-blocks.js'

/** One engine and its driver, made afresh for each case. */
export interface DriverWorld<Slot> {
  readonly driver: KvEngineDriver<Slot>
  /** A slot that holds nothing. At least three different ones can be had. */
  emptySlot(): Slot | Promise<Slot>
  /** `count` tokens that the engine can evaluate, the same for the same `seed`, others for another. */
  tokens(count: number, seed: number): Uint32Array
  /** Appends tokens to what the slot holds. */
  evaluate(slot: Slot, tokens: Uint32Array): Promise<void>
  /** Tokens that the slot holds. */
  length(slot: Slot): number | Promise<number>
  /** Something that depends on every byte of the slot's KV, e.g. logits; compared with `deepEqual`. */
  observe(slot: Slot): unknown
  /** Turns the engine into one that cannot be cached, where that can be done. */
  decline?(reason: Extract<KvSupport, { ok: false }>): void
  close?(): Promise<void>
}

/** One sentence that must hold, and the examination. For any test runner: `for (const c of cases) test(c.name, c.run)`. */
export interface ConformanceCase {
  readonly name: string
  run(): Promise<void>
}

/** A world with the means to examine it. */
interface Bench<Slot> {
  readonly world: DriverWorld<Slot>
  readonly driver: KvEngineDriver<Slot>
  readonly pageSize: number
  /** `count` empty blocks. */
  held(count: number): HeldBlocks
}

const BLOCKS = 6

/** What every `KvEngineDriver` has to do, whatever the engine. `makeWorld` is called for each case. */
export function driverConformance<Slot>(
  makeWorld: () => DriverWorld<Slot> | Promise<DriverWorld<Slot>>,
): ConformanceCase[] {
  const examine = (name: string, check: (bench: Bench<Slot>) => Promise<void>): ConformanceCase => ({
    name,
    run: () => withBench(makeWorld, check),
  })
  return [
    examine('restored blocks are what computing gives: what follows is the same', restoresWhatWasComputed),
    examine('captured blocks are the same bytes whoever computed them', capturesTheSameBytes),
    examine('a restore of all blocks leaves exactly their tokens in the slot', restoresAllTokens),
    examine('a prompt of one block can be restored', restoresOneBlock),
    examine('a damaged block ends the restore before it, and what is left is sound', restoresBeforeDamage),
    examine('damage in the first block restores nothing and leaves the slot empty', restoresNothingOfDamage),
    examine('a gathering that fails never leaves half a restore', failsWhole),
    examine('a slot that holds other tokens is not captured', refusesMovedSlot),
    examine('a slot that went on holds its prompt still, and is captured', capturesPrefixOfLongerSlot),
    examine('only wanted blocks are stored, in their order', storesOnlyWanted),
    examine('blocks for which there is no room are left out, the first ones are kept', storesAsMuchAsFits),
    examine('several slots at the same time do not disturb each other', keepsSlotsApart),
    examine('an aborted signal rejects with its reason before anything happens', (bench) => abortsAt(bench, 'before')),
    examine('an abort while hand-over is lent rejects with its reason, slot empty', (bench) => abortsAt(bench, 'lend')),
    examine('an abort while blocks are gathered rejects with its reason, slot empty', (b) => abortsAt(b, 'gather')),
    examine('an aborted capture rejects with its reason, stores nothing and leaves the slot as it is', abortsCapture),
    examine('hand-over storage is given back after success, failure and abort', givesBack),
    examine('what cannot be cached says why', declines),
    examine('facts and capabilities are plain and stay the same', staysTheSame),
  ]
}

async function withBench<Slot>(
  makeWorld: () => DriverWorld<Slot> | Promise<DriverWorld<Slot>>,
  check: (bench: Bench<Slot>) => Promise<void>,
): Promise<void> {
  const runtime = createTransferRuntime()
  const held: HeldBlocks[] = []
  const world = await makeWorld()
  try {
    await check(benchOf(world, runtime, held))
  } finally {
    for (const blocks of held) await blocks.close()
    await runtime.close()
    await world.close?.()
  }
}

function benchOf<Slot>(world: DriverWorld<Slot>, runtime: NativeTransferRuntime, held: HeldBlocks[]): Bench<Slot> {
  const { driver } = world
  return {
    world,
    driver,
    pageSize: driver.geometry.pageSize,
    held: (count) => {
      const blocks = new HeldBlocks(runtime, driver.geometry, count)
      held.push(blocks)
      return blocks
    },
  }
}

// ── Steps that the cases share ────────────────────────────────────────────

interface Captured<Slot> {
  readonly slot: Slot
  readonly tokens: Uint32Array
  readonly blocks: HeldBlocks
}

/** Computes `count` blocks and captures all of them. */
async function captured<Slot>(bench: Bench<Slot>, count = BLOCKS, seed = 1): Promise<Captured<Slot>> {
  const { world, driver, pageSize } = bench
  const tokens = world.tokens(count * pageSize, seed)
  const slot = await world.emptySlot()
  await world.evaluate(slot, tokens)
  const blocks = bench.held(count)
  const { stored } = await driver.capture({ slot, tokens, fromBlock: 0, toBlock: count, sink: blocks.sink() })
  assert.equal(stored, count, 'a capture of new blocks stores all of them')
  return { slot, tokens, blocks }
}

async function restored<Slot>(
  { world, driver }: Bench<Slot>,
  { tokens, blocks }: Pick<Captured<Slot>, 'tokens' | 'blocks'>,
  faults: BlockFaults = {},
  signal?: AbortSignal,
): Promise<{ readonly slot: Slot; readonly resident: number }> {
  const slot = await world.emptySlot()
  const resident = await driver.restore({ slot, tokens, blocks: blocks.source(faults), signal })
  return { slot, resident }
}

/** What computing `tokens` in one go to `cut` and then the rest shows. */
async function computed<Slot>({ world }: Bench<Slot>, tokens: Uint32Array, cut: number): Promise<unknown> {
  const slot = await world.emptySlot()
  await world.evaluate(slot, tokens.subarray(0, cut))
  if (cut < tokens.length) await world.evaluate(slot, tokens.subarray(cut))
  return world.observe(slot)
}

async function assertGoesOn<Slot>(bench: Bench<Slot>, slot: Slot, tokens: Uint32Array, cut: number): Promise<void> {
  await bench.world.evaluate(slot, tokens.subarray(cut))
  assert.deepEqual(await bench.world.observe(slot), await computed(bench, tokens, cut), 'what follows a restore')
}

// ── The cases ─────────────────────────────────────────────────────────────

async function restoresWhatWasComputed<Slot>(bench: Bench<Slot>): Promise<void> {
  const whole = bench.world.tokens(BLOCKS * bench.pageSize + 5, 1)
  const prompt = await captured(bench)
  assert.deepEqual(
    whole.subarray(0, prompt.tokens.length),
    prompt.tokens,
    'a longer prompt of one seed goes on from a shorter',
  )
  const { slot, resident } = await restored(bench, prompt)
  assert.equal(resident, prompt.tokens.length)
  await assertGoesOn(bench, slot, whole, prompt.tokens.length)
}

async function capturesTheSameBytes<Slot>(bench: Bench<Slot>): Promise<void> {
  const first = await captured(bench)
  const second = await captured(bench)
  const other = await captured(bench, BLOCKS, 2)
  assert.deepEqual(second.blocks.bytes, first.blocks.bytes)
  assert.notDeepEqual(other.blocks.bytes, first.blocks.bytes, 'other tokens give other bytes')
}

async function restoresAllTokens<Slot>(bench: Bench<Slot>): Promise<void> {
  const prompt = await captured(bench)
  const { slot, resident } = await restored(bench, prompt)
  assert.equal(resident, BLOCKS * bench.pageSize)
  assert.equal(await bench.world.length(slot), resident)
  const again = bench.held(BLOCKS)
  const { tokens } = prompt
  await bench.driver.capture({ slot, tokens, fromBlock: 0, toBlock: BLOCKS, sink: again.sink() })
  assert.deepEqual(again.bytes, prompt.blocks.bytes, 'what was restored can be captured again')
}

async function restoresOneBlock<Slot>(bench: Bench<Slot>): Promise<void> {
  const prompt = await captured(bench, 1)
  const { slot, resident } = await restored(bench, prompt)
  assert.equal(resident, bench.pageSize)
  await assertGoesOn(bench, slot, bench.world.tokens(bench.pageSize + 3, 1), bench.pageSize)
}

async function restoresBeforeDamage<Slot>(bench: Bench<Slot>): Promise<void> {
  const prompt = await captured(bench)
  const kept = 2 * bench.pageSize
  prompt.blocks.bytes.fill(0xee, 2 * prompt.blocks.blockBytes)
  const { slot, resident } = await restored(bench, prompt, { soundBlocks: 2 })
  assert.equal(resident, kept)
  assert.equal(await bench.world.length(slot), kept)
  await assertGoesOn(bench, slot, prompt.tokens, kept)
}

async function restoresNothingOfDamage<Slot>(bench: Bench<Slot>): Promise<void> {
  const prompt = await captured(bench)
  const { slot, resident } = await restored(bench, prompt, { soundBlocks: 0 })
  assert.equal(resident, 0)
  assert.equal(await bench.world.length(slot), 0)
}

async function failsWhole<Slot>(bench: Bench<Slot>): Promise<void> {
  const prompt = await captured(bench)
  const slot = await bench.world.emptySlot()
  const failure = new Error('the disk is gone')
  const blocks = prompt.blocks.source({ gatherFails: failure })
  const resident = await bench.driver.restore({ slot, tokens: prompt.tokens, blocks }).catch((error: unknown) => {
    assert.equal(error, failure)
    return 0
  })
  assert.equal(resident, 0)
  assert.equal(await bench.world.length(slot), 0)
}

async function refusesMovedSlot<Slot>(bench: Bench<Slot>): Promise<void> {
  const { world, driver, pageSize } = bench
  const slot = await world.emptySlot()
  await world.evaluate(slot, world.tokens(BLOCKS * pageSize, 2))
  const blocks = bench.held(BLOCKS)
  const tokens = world.tokens(BLOCKS * pageSize, 1)
  const outcome = await driver.capture({ slot, tokens, fromBlock: 0, toBlock: BLOCKS, sink: blocks.sink() })
  assert.equal(outcome.stored, 0)
  assert.equal(outcome.slotMoved, true)
  assert.ok(
    blocks.bytes.every((byte) => byte === 0),
    'nothing was stored',
  )
}

async function capturesPrefixOfLongerSlot<Slot>(bench: Bench<Slot>): Promise<void> {
  const { world, driver, pageSize } = bench
  const prompt = await captured(bench)
  const longer = world.tokens(BLOCKS * pageSize + 7, 1)
  await world.evaluate(prompt.slot, longer.subarray(prompt.tokens.length))
  const again = bench.held(BLOCKS)
  const { tokens, slot } = prompt
  const { stored } = await driver.capture({ slot, tokens, fromBlock: 0, toBlock: BLOCKS, sink: again.sink() })
  assert.equal(stored, BLOCKS)
  assert.deepEqual(again.bytes, prompt.blocks.bytes)
}

async function storesOnlyWanted<Slot>(bench: Bench<Slot>): Promise<void> {
  const { slot, tokens, blocks } = await captured(bench)
  const some = bench.held(2)
  const sink = some.sink(Uint8Array.of(1, 0, 1, 0))
  const { stored } = await bench.driver.capture({ slot, tokens, fromBlock: 1, toBlock: 5, sink })
  assert.equal(stored, 2)
  assert.deepEqual(some.bytes, Uint8Array.from([...blockAt(blocks, 1), ...blockAt(blocks, 3)]))
}

async function storesAsMuchAsFits<Slot>(bench: Bench<Slot>): Promise<void> {
  const { slot, tokens, blocks } = await captured(bench)
  const few = bench.held(2)
  const sink = few.sink(new Uint8Array(BLOCKS).fill(1))
  const { stored } = await bench.driver.capture({ slot, tokens, fromBlock: 0, toBlock: BLOCKS, sink })
  assert.equal(stored, 2)
  assert.deepEqual(few.bytes, blocks.bytes.subarray(0, few.bytes.length))
}

async function keepsSlotsApart<Slot>(bench: Bench<Slot>): Promise<void> {
  const a = await captured(bench, BLOCKS, 1)
  const b = await captured(bench, BLOCKS, 2)
  const [first, second] = await Promise.all([restored(bench, a), restored(bench, b)])
  const { pageSize, world } = bench
  await assertGoesOn(bench, first.slot, world.tokens(BLOCKS * pageSize + 4, 1), first.resident)
  await assertGoesOn(bench, second.slot, world.tokens(BLOCKS * pageSize + 4, 2), second.resident)
}

async function abortsAt<Slot>(bench: Bench<Slot>, where: 'before' | 'lend' | 'gather'): Promise<void> {
  const prompt = await captured(bench)
  const abort = new AbortController()
  const reason = new Error('nobody waits any more')
  if (where === 'before') abort.abort(reason)
  const step = (name: string): void => void (name === where && abort.abort(reason))
  const slot = await bench.world.emptySlot()
  const blocks = prompt.blocks.source({ step })
  const restoring = (async () => bench.driver.restore({ slot, tokens: prompt.tokens, blocks, signal: abort.signal }))()
  await assert.rejects(restoring, (error) => error === reason)
  assert.equal(await bench.world.length(slot), 0)
  await assertGoesOn(bench, slot, prompt.tokens, 0)
}

async function abortsCapture<Slot>(bench: Bench<Slot>): Promise<void> {
  const { slot, tokens, blocks } = await captured(bench)
  const before = await bench.world.observe(slot)
  const abort = new AbortController()
  const reason = new Error('closing')
  const target = bench.held(BLOCKS)
  const sink = target.sink(undefined, { step: (name) => void (name === 'lend' && abort.abort(reason)) })
  const request = { slot, tokens, fromBlock: 0, toBlock: BLOCKS, sink, signal: abort.signal }
  await assert.rejects((async () => bench.driver.capture(request))(), (error) => error === reason)
  assert.ok(
    target.bytes.every((byte) => byte === 0),
    'nothing was stored',
  )
  assert.deepEqual(await bench.world.observe(slot), before)
  void blocks
}

async function givesBack<Slot>(bench: Bench<Slot>): Promise<void> {
  const prompt = await captured(bench)
  assert.equal(prompt.blocks.lent, 0, 'after a capture')
  await restored(bench, prompt)
  assert.equal(prompt.blocks.lent, 0, 'after a restore')
  await restored(bench, prompt, { gatherFails: new Error('gone') }).catch(() => undefined)
  assert.equal(prompt.blocks.lent, 0, 'after a failure')
  const abort = new AbortController()
  const step = (name: string): void => void (name === 'gather' && abort.abort(new Error('late')))
  await restored(bench, prompt, { step }, abort.signal).catch(() => undefined)
  assert.equal(prompt.blocks.lent, 0, 'after an abort')
}

async function declines<Slot>({ world, driver }: Bench<Slot>): Promise<void> {
  assert.deepEqual(driver.supports(), { ok: true })
  if (world.decline === undefined) return
  world.decline({ ok: false, reason: 'sliding-window', detail: 'for the test' })
  assert.deepEqual(driver.supports(), { ok: false, reason: 'sliding-window', detail: 'for the test' })
}

async function staysTheSame<Slot>(bench: Bench<Slot>): Promise<void> {
  const { driver } = bench
  const facts = (): string => JSON.stringify([driver.geometry, driver.identity, driver.capabilities])
  const before = facts()
  assert.deepEqual(JSON.parse(before)[0], driver.geometry)
  await captured(bench)
  assert.equal(facts(), before)
}

function blockAt(blocks: HeldBlocks, index: number): Uint8Array {
  return blocks.bytes.subarray(index * blocks.blockBytes, (index + 1) * blocks.blockBytes)
}

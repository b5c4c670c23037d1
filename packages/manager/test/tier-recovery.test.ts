import type { TierName } from '@kvbm/core'
import { expect, test } from 'vitest'
import { TierRecovery } from '../src/tier-recovery.js'
import type { Doing, TierStore } from '../src/tier-store.js'

/** A clock that only tests advance, and a tier with nothing but its state. */
function ward({ fails = 0 }: { fails?: number } = {}) {
  const tier = { state: 'degraded', probes: 0, lastError: '', failures: new Map<Doing, string>() }
  const probed: Doing[] = []
  const due: { delayMs: number; act: () => void }[] = []
  const ended: (() => void)[] = []
  let left = fails
  const recovery = new TierRecovery({
    delayMs: 1000,
    delayMaxMs: 60_000,
    probe: async (_, doing) => {
      probed.push(doing)
      await new Promise<void>((resolve) => ended.push(resolve))
      if (left-- > 0) throw new Error('still ill')
    },
    works: (_, doing) => {
      tier.failures.delete(doing)
      if (tier.failures.size === 0) tier.state = 'ok'
    },
    schedule: (delayMs, act) => {
      const entry = { delayMs, act }
      due.push(entry)
      return () => void due.splice(due.indexOf(entry), 1)
    },
  })
  return {
    tier,
    probed,
    due,
    recovery,
    fail: (...doing: Doing[]) => {
      tier.state = 'degraded'
      for (const one of doing) tier.failures.set(one, 'ill')
      recovery.failed(tier as unknown as TierStore<TierName>, doing)
    },
    worked: (doing: Doing) => recovery.worked(tier as unknown as TierStore<TierName>, doing),
    /** Begins the probe that is due; returns its pause. */
    begin: () => {
      const { delayMs, act } = due.shift()!
      act()
      return delayMs
    },
    end: async () => {
      ended.shift()!()
      await new Promise(setImmediate)
    },
  }
}

test('pauses double from the first to the longest, each with jitter of up to a half', async () => {
  const { fail, begin, end, due } = ward({ fails: 20 })
  fail('writing')
  const pauses: number[] = []
  for (let round = 0; round < 12; round++) {
    pauses.push(begin())
    await end()
    expect(due).toHaveLength(1)
  }
  for (const [round, pause] of pauses.entries()) {
    const whole = Math.min(60_000, 1000 * 2 ** round)
    expect(pause, `pause ${round}`).toBeGreaterThanOrEqual(whole / 2 - 1)
    expect(pause, `pause ${round}`).toBeLessThanOrEqual(whole)
  }
})

test('only what failed is probed, reading first, and what goes well is well even where the other goes on failing', async () => {
  const { fail, begin, end, probed, tier, due } = ward({ fails: 1 })
  fail('writing', 'reading')
  begin()
  await end()
  await end()
  expect(probed).toEqual(['reading', 'writing'])
  expect([...tier.failures.keys()]).toEqual(['reading'])
  expect(tier.probes).toBe(1)
  expect(due).toHaveLength(1)
  begin()
  await end()
  expect(probed).toEqual(['reading', 'writing', 'reading'])
  expect(tier.state).toBe('ok')
})

test('further failures neither bring a second probe nor hurry the one that is due or runs', async () => {
  const { fail, begin, end, due, tier } = ward({ fails: 1 })
  fail('writing')
  fail('writing')
  fail('reading')
  expect(due).toHaveLength(1)
  begin()
  fail('writing')
  expect(due).toHaveLength(0)
  await end()
  await end()
  expect(due).toHaveLength(1)
  expect(tier).toMatchObject({ probes: 1, lastError: 'still ill' })
})

test('a probe that goes well ends it', async () => {
  const { fail, begin, end, due, tier } = ward()
  fail('writing')
  begin()
  await end()
  expect(tier.state).toBe('ok')
  expect(due).toHaveLength(0)
})

test('where probes go well and copies do not, pauses go on growing until a copy did what failed', async () => {
  const { fail, worked, begin, end } = ward()
  const round = async (): Promise<number> => {
    fail('writing')
    const pause = begin()
    await end()
    return pause
  }
  for (let index = 0; index < 4; index++) await round()
  worked('reading')
  expect(await round()).toBeGreaterThanOrEqual(8000)
  worked('writing')
  expect(await round()).toBeLessThanOrEqual(1000)
})

test('a copy that did what failed takes back the probe that is due', () => {
  const { fail, worked, due, tier } = ward()
  fail('reading', 'writing')
  worked('reading')
  expect(due).toHaveLength(1)
  tier.state = 'ok'
  worked('writing')
  expect(due).toHaveLength(0)
})

test('closing takes back what is due, and a probe that ends later changes nothing', async () => {
  const { fail, begin, end, due, recovery, tier } = ward()
  fail('writing')
  begin()
  recovery.close()
  await end()
  expect(tier.state).toBe('degraded')
  fail('writing')
  expect(due).toHaveLength(0)
})

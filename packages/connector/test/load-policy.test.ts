import { describe, expect, test } from 'vitest'
import { LoadPolicy } from '../src/load-policy.js'
import { RateBySize } from '../src/rate-by-size.js'

const host = (tokens: number) => ({ device: 0, host: tokens, disk: 0 })
const disk = (tokens: number) => ({ device: 0, host: 0, disk: tokens })
const ask = (byTier: ReturnType<typeof host>, promptTokens = 1040, residentTokens = 0) => ({
  byTier,
  promptTokens,
  residentTokens,
  pageSize: 16,
})

/** Knows a prefill of 1 ms per token and restores from host of `hostMs` for 1024 tokens. */
function learned(hostMs: number): LoadPolicy {
  const policy = new LoadPolicy()
  policy.prefilled(1040, 1040)
  policy.prefilled(16, 16)
  policy.restored(host(1024), hostMs)
  return policy
}

describe('load or recompute', () => {
  test('nothing cached, less than two blocks, or resident already: recompute, whatever was learned', () => {
    const policy = learned(1)
    expect(policy.decide(ask(host(0)))).toMatchObject({ decision: 'recompute', reason: 'nothing-cached' })
    expect(policy.decide(ask(host(16)))).toMatchObject({ decision: 'recompute', reason: 'too-short' })
    expect(policy.decide(ask(host(32)))).toMatchObject({ decision: 'load' })
    expect(policy.decide(ask(host(512), 1040, 512))).toMatchObject({ decision: 'recompute', reason: 'resident' })
  })

  test('loads while nothing is known, and while a tier was never measured', () => {
    expect(new LoadPolicy().decide(ask(host(1024)))).toMatchObject({ decision: 'load', reason: 'not-measured' })
    expect(learned(5000).decide(ask(disk(1024)))).toMatchObject({ decision: 'load', reason: 'not-measured' })
  })

  test('loads when a restore is faster by a tenth, not when it is only a little faster', () => {
    expect(learned(900).decide(ask(host(1024)))).toMatchObject({
      decision: 'load',
      reason: 'faster',
      estimate: { restoreMs: 900, recomputeMs: 1024 },
    })
    expect(learned(1000).decide(ask(host(1024)))).toMatchObject({ decision: 'recompute', reason: 'slower' })
  })

  test('what is in the slot already need not be recomputed', () => {
    const { estimate } = learned(100).decide(ask(host(1024), 1040, 512))
    expect(estimate.recomputeMs).toBe(512)
  })

  test('learns: prefill that turns out fast makes it stop loading', () => {
    const policy = learned(100)
    expect(policy.decide(ask(host(1024))).decision).toBe('load')
    for (let time = 0; time < 10; time++) policy.prefilled(1040, 20)
    expect(policy.decide(ask(host(1024)))).toMatchObject({ decision: 'recompute', reason: 'slower' })
  })

  test('unlearns: one in 64 is tried the other way, so that a bad moment is forgotten', () => {
    const policy = learned(5000)
    const reasons = Array.from({ length: 640 }, () => policy.decide(ask(host(1024))).reason)
    expect(reasons.filter((reason) => reason === 'probe')).toHaveLength(10)
    for (let time = 0; time < 12; time++) policy.restored(host(1024), 20)
    expect(policy.decide(ask(host(1024))).reason).toBe('faster')
  })

  test('loads that win by far are not doubted; close ones are, once in 64', () => {
    const reasons = (policy: LoadPolicy) => Array.from({ length: 128 }, () => policy.decide(ask(host(1024))).reason)
    expect(reasons(learned(50)).filter((reason) => reason === 'slower')).toHaveLength(0)
    expect(reasons(learned(900)).filter((reason) => reason === 'slower')).toHaveLength(2)
  })

  test('three failures in a row end the loading until its probe; one success begins it again', () => {
    const policy = learned(10)
    for (let time = 0; time < 3; time++) policy.failed()
    const reasons = Array.from({ length: 64 }, () => policy.decide(ask(host(1024))).reason)
    expect(new Set(reasons)).toEqual(new Set(['failing', 'probe']))
    policy.restored(host(1024), 10)
    expect(policy.decide(ask(host(1024))).reason).toBe('faster')
  })

  test('a restore from two tiers teaches both: their sum becomes what was measured', () => {
    const policy = new LoadPolicy()
    policy.restored(host(1024), 10)
    policy.restored(disk(1024), 90)
    const both = { device: 0, host: 512, disk: 512 }
    expect(policy.estimate(ask(both)).restoreMs).toBe(50)
    for (let time = 0; time < 60; time++) policy.restored(both, 100)
    expect(policy.estimate(ask(both)).restoreMs).toBeCloseTo(100, 3)
  })
})

describe('milliseconds per token', () => {
  test('the first samples count alike, so that a slow start does not stay', () => {
    const rate = new RateBySize()
    for (const ms of [900, 100, 100]) rate.learn(100, ms)
    expect(rate.estimate(100)).toBeCloseTo(1100 / 3)
  })

  test('sizes are kept apart: small batches do not mislead about large ones', () => {
    const rate = new RateBySize()
    rate.learn(16, 100)
    rate.learn(1024, 1500)
    expect(rate.estimate(16)).toBe(100)
    expect(rate.estimate(1024)).toBe(1500)
    expect(rate.estimate(700)).toBeCloseTo((1500 / 1024) * 700)
    expect(rate.estimate(0)).toBe(0)
  })

  test('an outlier fades', () => {
    const rate = new RateBySize()
    rate.learn(100, 100)
    rate.learn(100, 10_000)
    for (let time = 0; time < 40; time++) rate.learn(100, 100)
    expect(rate.estimate(100)).toBeCloseTo(100, 1)
  })

  test('nonsense is not learned', () => {
    const rate = new RateBySize()
    for (const [tokens, ms] of [
      [0, 5],
      [-1, 5],
      [5, -1],
      [5, Number.NaN],
    ] as const)
      rate.learn(tokens, ms)
    expect(rate.estimate(5)).toBeUndefined()
  })
})

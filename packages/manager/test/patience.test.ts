import { getEventListeners } from 'node:events'
import { expect, test, vi } from 'vitest'
import { following, patiently, within } from '../src/patience.js'

const never = new Promise<never>(() => {})

test('work that ends in time gives its result, its failure its error', async () => {
  await expect(within(Promise.resolve(7), 'work', { deadlineMs: 1000 })).resolves.toBe(7)
  await expect(within(Promise.reject(new Error('no')), 'work', { deadlineMs: 1000 })).rejects.toThrow('no')
})

test('a deadline rejects and names what was waited for, in the caller’s numbers', async () => {
  await expect(within(never, 'Copying 3 blocks', { deadlineMs: 0 })).rejects.toMatchObject({
    code: 'KVBM_DEADLINE',
    message: expect.stringContaining('Copying 3 blocks did not finish within 0 ms'),
  })
})

test('a deadline beyond what a timer can do is as good as none', async () => {
  vi.useFakeTimers()
  try {
    for (const deadlineMs of [Number.POSITIVE_INFINITY, 2 ** 40]) {
      let ended = false
      const waiting = within(never, 'work', { deadlineMs }).catch(() => {
        ended = true
      })
      await vi.advanceTimersByTimeAsync(1_000_000)
      expect(ended).toBe(false)
      void waiting
    }
  } finally {
    vi.useRealTimers()
  }
})

test.each([-1, Number.NaN])('a deadline of %s is refused', async (deadlineMs) => {
  await expect(within(never, 'work', { deadlineMs })).rejects.toThrow(/deadlineMs: expected a number of 0 or more/)
})

test('an abort rejects with the reason of the signal, before and during the wait', async () => {
  const controller = new AbortController()
  const waiting = within(never, 'work', { signal: controller.signal })
  const reason = new Error('the user left')
  controller.abort(reason)
  await expect(waiting).rejects.toBe(reason)
  await expect(within(Promise.resolve(1), 'work', { signal: controller.signal })).rejects.toBe(reason)
})

test('one deadline covers a whole call, however many waits it has', async () => {
  vi.useFakeTimers()
  try {
    const steps: string[] = []
    const call = patiently('Three steps', { deadlineMs: 50 }, async (signal) => {
      for (const step of ['one', 'two', 'three']) {
        await within(new Promise((resolve) => setTimeout(resolve, 30)), step, { signal })
        steps.push(step)
      }
    })
    const outcome = expect(call).rejects.toMatchObject({ code: 'KVBM_DEADLINE' })
    await vi.advanceTimersByTimeAsync(100)
    await outcome
    expect(steps).toEqual(['one'])
  } finally {
    vi.useRealTimers()
  }
})

test('nobody listens to a signal any longer than the wait', async () => {
  const { signal } = new AbortController()
  await within(Promise.resolve(), 'work', { signal, deadlineMs: 1000 })
  await following([signal, undefined], async () => {
    expect(getEventListeners(signal, 'abort')).toHaveLength(1)
  })
  expect(getEventListeners(signal, 'abort')).toHaveLength(0)
})

test('a signal that follows several has the reason of the first that was aborted', async () => {
  const [first, second] = [new AbortController(), new AbortController()]
  await following([first.signal, second.signal], async (signal) => {
    second.abort('second')
    first.abort('first')
    expect(signal.reason).toBe('second')
  })
  await following([first.signal], async (signal) => expect(signal.reason).toBe('first'))
})

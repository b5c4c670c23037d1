import { expect, test } from 'vitest'
import { checkWait } from '../src/index.js'

test('no limit, a signal, a deadline and both are fine', () => {
  const { signal } = new AbortController()
  for (const wait of [{}, { signal }, { deadlineMs: 0 }, { signal, deadlineMs: Number.POSITIVE_INFINITY }])
    expect(() => checkWait(wait)).not.toThrow()
})

test.each([
  [null, /^options: .* got null/],
  [5, /^options: .* got 5/],
  [{ signal: {} }, /^signal: expected an AbortSignal/],
  [{ signal: null }, /^signal: .* got null/],
  [{ deadlineMs: -1 }, /^deadlineMs: expected a number of 0 or more, got -1/],
  [{ deadlineMs: Number.NaN }, /^deadlineMs: .* got NaN/],
  [{ deadlineMs: '5' }, /^deadlineMs: .* got '5' \(string\)/],
])('%j is no wait', (wait, message) => {
  expect(() => checkWait(wait as never)).toThrow(message)
})

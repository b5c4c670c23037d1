import { describe, expect, test } from 'vitest'
import { assert, invalidArgument, nonNegativeInteger, positiveInteger } from '../src/index.js'

describe('argument checks', () => {
  test('return what is right', () => {
    expect([positiveInteger('n', 1), nonNegativeInteger('n', 0)]).toEqual([1, 0])
    expect(positiveInteger('n', Number.MAX_SAFE_INTEGER)).toBe(Number.MAX_SAFE_INTEGER)
  })

  test.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, '4'])(
    'positiveInteger refuses %s and names the argument',
    (value) => {
      expect(() => positiveInteger('pageSize', value as number)).toThrow(/^pageSize: expected a positive integer, got /)
    },
  )

  test('zero is no positive integer but a non-negative one', () => {
    expect(() => nonNegativeInteger('at', -1)).toThrow(
      new RangeError('at: expected an integer of 0 or more, got -1 (number)'),
    )
  })

  test('invalidArgument tells text from numbers and carries no code', () => {
    const error = invalidArgument('n', 'a number', '4')
    expect(error).toBeInstanceOf(RangeError)
    expect(error.message).toBe("n: expected a number, got '4' (string)")
    expect(error).not.toHaveProperty('code')
  })
})

describe('the complaint about a value', () => {
  const detached = new Uint8Array(4)
  structuredClone(detached.buffer, { transfer: [detached.buffer] })

  test.each([
    ['a symbol', Symbol('s'), 'Symbol(s) (symbol)'],
    ['an object that refuses to become text', Object.create(null), 'a value without text (object)'],
    ['an array whose buffer was transferred away', detached, 'a value without text (object)'],
    ['nothing', undefined, 'undefined (undefined)'],
  ])('does not fail because of %s', (_, value, shown) => {
    expect(invalidArgument('n', 'a number', value).message).toBe(`n: expected a number, got ${shown}`)
  })

  test('repeats at most a hundred characters of it', () => {
    expect(invalidArgument('n', 'a number', 'x'.repeat(10_000)).message).toHaveLength(
      'n: expected a number, got '.length + 112,
    )
    expect(invalidArgument('n', 'a number', new Uint8Array(10_000)).message.length).toBeLessThan(160)
  })
})

describe('assert', () => {
  test('says which invariant broke, and that it is a defect', () => {
    expect(() => assert(false, 'free + held = total')).toThrow(
      /^Invariant violated: free \+ held = total\. Please report/,
    )
    expect(() => assert(1, 'never')).not.toThrow()
  })
})

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

describe('assert', () => {
  test('says which invariant broke, and that it is a defect', () => {
    expect(() => assert(false, 'free + held = total')).toThrow(
      /^Invariant violated: free \+ held = total\. Please report/,
    )
    expect(() => assert(1, 'never')).not.toThrow()
  })
})

import { expect, test } from 'vitest'
import { figure, formatReport, ratios } from '../src/figures.js'

test('a goal is held against the median, with its bounds included', () => {
  expect(figure('a', 'ms', [1, 2, 30], { atMost: 2 })).toMatchObject({ median: 2, max: 30, n: 3, met: true })
  expect(figure('a', 'times', [1, 1.9, 30], { atLeast: 2 }).met).toBe(false)
  expect(figure('a', '', [0], { atLeast: 0, atMost: 0 }).met).toBe(true)
  expect(figure('a', 'ms', [1])).not.toHaveProperty('met')
})

test('ratios are taken round by round', () => {
  expect(ratios([10, 30], [5, 10])).toEqual([2, 3])
})

test('a report shows setup, spread, goals, and notes', () => {
  const figures = [figure('time', 'ms', [10, 20]), figure('gain', 'times', [3], { atLeast: 4 })]
  const text = formatReport({ name: 'n', work: 'w', setup: { threads: 2 }, figures, notes: ['skipped'] })
  expect(text).toMatch(/n: w\n {2}threads 2\n/)
  expect(text).toMatch(/time +15\.0 ms {2}\(10\.0 – 20\.0, n 2\)/)
  expect(text).toMatch(/gain +3\.00 times {2}goal ≥ 4: missed/)
  expect(text.endsWith('  skipped')).toBe(true)
})

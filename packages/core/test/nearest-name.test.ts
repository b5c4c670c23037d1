import { expect, test } from 'vitest'
import { nearestName } from '../src/index.js'

const KNOWN = ['numBlocks', 'num-layers', 'signal', 'tp']

test.each([
  ['numBlock', 'numBlocks'],
  ['NUM_BLOCKS', 'numBlocks'],
  ['numLayers', 'num-layers'],
  ['singal', 'signal'],
  ['numb', 'numBlocks'],
  ['sign', 'signal'],
])('%s is meant to be %s', (name, meant) => {
  expect(nearestName(name, KNOWN)).toBe(meant)
})

test.each(['toString', 'hyperdrive', 'x'.repeat(100_000)])('a name like no other has none near', (name) => {
  expect(nearestName(name, KNOWN)).toBeUndefined()
})

test('nothing is near where nothing is known', () => {
  expect(nearestName('numBlocks', [])).toBeUndefined()
})

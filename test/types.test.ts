import { resolve } from 'node:path'
import { expect, test } from 'vitest'
import { compileHouse, exportedSymbols, problemsOf } from './support/program.js'
import { readHouse } from './support/read-house.js'

const house = readHouse(resolve(import.meta.dirname, '..'))
const program = compileHouse(house)

test('every test compiles, so what tests say about types is true', { timeout: 180_000 }, () => {
  expect(problemsOf(house, program)).toEqual([])
})

test('every name that leaves a front door has a sentence that says what it is', () => {
  const symbols = exportedSymbols(house, program)
  expect(symbols.length).toBeGreaterThan(100)
  const bare = symbols.filter(({ documented }) => !documented)
  expect(bare.map(({ door, name }) => `${door}: ${name} has no doc comment`)).toEqual([])
})

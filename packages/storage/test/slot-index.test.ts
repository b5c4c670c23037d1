import { WORDS_PER_HASH } from '@kvbm/core'
import type { SlotRecords } from '@kvbm/native'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { SlotIndex } from '../src/slot-index.js'

const [NUM_SLOTS, SLOT_BYTES, NAMES] = [40, 64, 12]

/** A scan of slots `first …` that finds `names` (0: free); generations follow `generation`. */
const scan = fc.record({
  first: fc.nat(NUM_SLOTS - 9),
  names: fc.array(fc.nat(NAMES), { minLength: 1, maxLength: 9 }),
})
const forgotten = fc.record({ forget: fc.nat(NUM_SLOTS - 1) })

test('an index finds what a plain list of the newest records does, whatever was replaced and forgotten before', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(scan, forgotten), { maxLength: 60 }), (history) => {
      const index = new SlotIndex({ numSlots: NUM_SLOTS, slotBytes: SLOT_BYTES })
      const slots = Array.from({ length: NUM_SLOTS }, () => ({ name: 0, generation: 0 }))
      let generation = 0
      for (const step of history) {
        if ('forget' in step) {
          index.forget(step.forget, slots[step.forget]!.generation)
          slots[step.forget]!.name = 0
        } else {
          const rows = step.names.map((name) => ({ name, generation: name === 0 ? 0 : ++generation }))
          index.replace(step.first, rows.length, recordsOf(rows))
          for (const [at, row] of rows.entries()) slots[step.first + at] = { ...row }
        }
        expect(found(index)).toEqual(newest(slots))
        expect(index.count).toBe(slots.filter(({ name }) => name > 0).length)
      }
    }),
  )
})

test('the same record is not found again once it was forgotten, a newer one is', () => {
  const index = new SlotIndex({ numSlots: NUM_SLOTS, slotBytes: SLOT_BYTES })
  index.replace(0, 1, recordsOf([{ name: 5, generation: 7 }]))
  index.forget(0, 6)
  expect(index.find(wordsOf(5), 0)).toBe(0)
  index.forget(0, 7)
  index.replace(0, 1, recordsOf([{ name: 5, generation: 7 }]))
  expect([index.find(wordsOf(5), 0), index.count]).toEqual([-1, 0])
  index.replace(0, 1, recordsOf([{ name: 5, generation: 8 }]))
  expect([index.find(wordsOf(5), 0), index.count]).toEqual([0, 1])
})

test('records of another length are not found', () => {
  const index = new SlotIndex({ numSlots: NUM_SLOTS, slotBytes: SLOT_BYTES + 1 })
  index.replace(0, 1, recordsOf([{ name: 5, generation: 7 }]))
  expect([index.find(wordsOf(5), 0), index.count]).toEqual([-1, 0])
})

interface Row {
  readonly name: number
  readonly generation: number
}

function found(index: SlotIndex): number[] {
  return Array.from({ length: NAMES }, (_, name) => index.find(wordsOf(name + 1), 0))
}

function newest(slots: readonly Row[]): number[] {
  return Array.from({ length: NAMES }, (_, index) =>
    slots.reduce((best, { name, generation }, slot) => {
      if (name !== index + 1) return best
      return best < 0 || generation > slots[best]!.generation ? slot : best
    }, -1),
  )
}

/** Few homes, so that clusters run into each other. */
function wordsOf(name: number): Uint32Array {
  return Uint32Array.of(name % 3, name, 0, 0)
}

function recordsOf(rows: readonly Row[]): SlotRecords {
  const valid = rows.flatMap(({ name, generation }, slot) => (name === 0 ? [] : [{ name, generation, slot }]))
  const hashes = new Uint32Array(valid.length * WORDS_PER_HASH)
  for (const [row, { name }] of valid.entries()) hashes.set(wordsOf(name), row * WORDS_PER_HASH)
  return {
    count: valid.length,
    slots: Uint32Array.from(valid, ({ slot }) => slot),
    generations: Float64Array.from(valid, (row) => row.generation),
    hashes,
    parents: new Uint32Array(hashes.length),
    positions: new Uint32Array(valid.length),
    lengths: new Uint32Array(valid.length).fill(SLOT_BYTES),
    checksums: new Uint32Array(valid.length),
    damaged: 0,
  }
}

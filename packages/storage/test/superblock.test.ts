import { createPortableBinding } from '@kvbm/native'
import { expect, test } from 'vitest'
import {
  COPY_BYTES,
  chooseCopy,
  decodeCopy,
  directoryNameOf,
  encodeSuperblock,
  type Superblock,
} from '../src/superblock.js'

const sums = createPortableBinding()
const superblock: Superblock = {
  formatVersion: 1,
  sequence: 7,
  epoch: 3,
  generationFloor: 2 ** 40 + 5,
  slotBytes: 65_536,
  slotStride: 65_536,
  numSlots: 1000,
  fingerprint: '{"model":"größer"}',
}

test('a superblock reads back as it was written', () => {
  expect(decodeCopy(encodeSuperblock(superblock, sums), sums)).toEqual(superblock)
})

test('any one flipped bit makes a copy invalid', () => {
  const bytes = encodeSuperblock(superblock, sums)
  for (let bit = 0; bit < bytes.length * 8; bit++) {
    const damaged = Uint8Array.from(bytes)
    damaged[bit >> 3]! ^= 1 << (bit & 7)
    expect(typeof decodeCopy(damaged, sums), `bit ${bit}`).toBe('string')
  }
})

test('a copy cut at any byte is torn, empty or foreign, never valid', () => {
  const bytes = encodeSuperblock(superblock, sums)
  for (let length = 0; length < bytes.length; length++) {
    expect(typeof decodeCopy(bytes.subarray(0, length), sums), `cut at ${length}`).toBe('string')
  }
})

test('a newer superblock torn over an older one at any byte is invalid or one of the two', () => {
  const older = encodeSuperblock(superblock, sums)
  const newer = encodeSuperblock({ ...superblock, sequence: 9, epoch: 4 }, sums)
  for (let cut = 0; cut <= newer.length; cut++) {
    const torn = Uint8Array.from(older)
    torn.set(newer.subarray(0, cut))
    const found = decodeCopy(torn, sums)
    if (typeof found !== 'string') expect([7, 9]).toContain(found.sequence)
  }
})

test('the valid copy with the higher sequence counts; without one the reason does', () => {
  const newer = { ...superblock, sequence: 8 }
  expect(chooseCopy(superblock, newer)).toBe(newer)
  expect(chooseCopy(newer, superblock)).toBe(newer)
  expect(chooseCopy('torn', superblock)).toBe(superblock)
  expect(chooseCopy(superblock, 'foreign')).toBe(superblock)
  expect(chooseCopy('torn', 'empty')).toBe('torn')
  expect(chooseCopy('empty', 'foreign')).toBe('foreign')
  expect(chooseCopy('empty', 'empty')).toBe('empty')
})

test('a fingerprint longer than its place is a RangeError with both numbers', () => {
  const fingerprint = 'x'.repeat(COPY_BYTES)
  expect(() => encodeSuperblock({ ...superblock, fingerprint }, sums)).toThrow(/16256.*16384/)
})

test('the directory name is the first 16 hex digits of the SHA-256 of the text', () => {
  expect(directoryNameOf('abc')).toBe('ba7816bf8f01cfea')
})

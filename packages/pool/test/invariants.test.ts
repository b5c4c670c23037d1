import { expect, test } from 'vitest'
import { BlockStore } from '../src/block-store.js'
import { DISCARDED, NONE, QUARANTINED } from '../src/block-table.js'
import type { Custody } from '../src/custody.js'
import { checkCustody } from '../src/invariants.js'
import { Notifier } from '../src/notifier.js'
import { PoolCounters } from '../src/pool-counters.js'
import { chain, counted } from './world.js'

/** Blocks 0 and 1 are held (a chain), 2 and 3 inactive (a chain), 4 is a held duplicate of 0, 5 being filled, 6 and 7 free. */
function furnished(): Custody {
  const counters = new PoolCounters()
  const notifier = new Notifier({ eventManager: undefined, observer: undefined, tier: undefined, counters })
  const store = new BlockStore({ numBlocks: 8, counters, notifier, onAvailable: () => {} })
  store.register(store.take(2), counted(2), 'allow')
  store.release(store.register(store.take(2), chain([8, 9]), 'allow'))
  // Free again and taken again, so that the ids in the heading hold.
  store.register(store.take(1), counted(1), 'allow')
  store.take(1)
  return store.custody
}

const damages: Readonly<Record<string, (custody: Custody) => void>> = {
  'a free block that is held': ({ table }) => (table.refs[6] = 1),
  'a free block that is in quarantine': ({ table }) => (table.state[7] = QUARANTINED),
  'a held block that nobody holds': ({ table }) => (table.refs[5] = 0),
  'a held block that is inactive': ({ inactiveList }) => inactiveList.push(0),
  'an inactive block that is in no list': ({ inactiveList }) => inactiveList.remove(2),
  'a block that stands twice in a list': ({ freeList }) => freeList.unshift(6),
  'an inactive block that is held': ({ table }) => (table.refs[2] = 1),
  'a name that leads nowhere': ({ index }) => index.remove(1),
  'a name that was changed': ({ table }) => (table.hashes[1 * 4] = 77),
  'a child that does not keep its parent': ({ table }) => table.keep(1, NONE),
  'a duplicate that keeps another block': ({ table }) => table.keep(4, 1),
  'a parent with fewer references than children': ({ table }) => (table.refs[0] = 0),
  'a condemned block that is not counted': ({ table }) => (table.condemned[5] = 1),
  'a block being filled that keeps another': ({ table }) => table.keep(5, 0),
  'a discarded block that keeps its parent': ({ table }) => (table.state[1] = DISCARDED),
  'a parent that would go before its child': ({ inactiveList }) => {
    inactiveList.remove(3)
    inactiveList.push(3)
  },
}

test('a store that only its own operations changed is sound', () => {
  expect(() => checkCustody(furnished())).not.toThrow()
})

test.each(Object.keys(damages))('checkInvariants notices %s', (what) => {
  const custody = furnished()
  damages[what]!(custody)
  expect(() => checkCustody(custody)).toThrow(/^Invariant violated/)
})

import { assert, WORDS_PER_HASH } from '@kvbm/core'
import { DISCARDED, DUPLICATE, FREE, MUTABLE, NONE, ORPHAN, PRIMARY, QUARANTINED } from './block-table.js'
import type { Custody } from './custody.js'

/** Compares everything that is derived from the table with the table. */
export function checkCustody(custody: Custody): void {
  checkLists(custody)
  checkCounts(custody)
  checkNames(custody)
  checkKeeping(custody)
  checkOrder(custody)
}

function membersOf(list: Iterable<number> & { readonly size: number }, count: number): Uint8Array {
  const member = new Uint8Array(count)
  let size = 0
  for (const id of list) {
    assert(member[id] === 0, `block ${id} stands twice in a list`)
    member[id] = 1
    size++
  }
  assert(size === list.size, `a list of ${list.size} blocks has ${size}`)
  return member
}

/** Free and inactive blocks are in their lists, and nothing else is. */
function checkLists({ table, freeList, inactiveList }: Custody): void {
  const free = membersOf(freeList, table.count)
  const inactive = membersOf(inactiveList, table.count)
  for (let id = 0; id < table.count; id++) {
    const state = table.state[id]!
    const isHeld = table.refs[id]! > 0
    assert((state === FREE) === (free[id] === 1), `block ${id}: state ${state} does not fit the free list`)
    assert(
      (state === PRIMARY && !isHeld) === (inactive[id] === 1),
      `block ${id}: state ${state} does not fit the inactive list`,
    )
    const mayRest = state === FREE || state === PRIMARY || state === QUARANTINED
    assert(state !== QUARANTINED || table.condemned[id] === 1, `block ${id}: in quarantine, but not condemned`)
    assert(state !== FREE || table.condemned[id] === 0, `block ${id}: free, but condemned`)
    assert(isHeld || mayRest, `block ${id}: nobody holds it in state ${state}`)
    assert(!isHeld || (state !== FREE && state !== QUARANTINED), `block ${id}: held in state ${state}`)
  }
}

/** free + inactive + held + quarantined = total. */
function checkCounts(custody: Custody): void {
  const { table, freeList, inactiveList } = custody
  const held = table.refs.reduce((sum, refs) => sum + (refs > 0 ? 1 : 0), 0)
  const quarantined = table.state.reduce((sum, state) => sum + (state === QUARANTINED ? 1 : 0), 0)
  assert(held === custody.held, `${custody.held} blocks count as held, ${held} are`)
  assert(quarantined === custody.quarantined, `${custody.quarantined} blocks count as quarantined, ${quarantined} are`)
  const condemned = table.condemned.reduce((sum, flag) => sum + flag, 0)
  assert(condemned === custody.condemned, `${custody.condemned} blocks count as condemned, ${condemned} are`)
  const sum = freeList.size + inactiveList.size + held + quarantined
  assert(sum === table.count, `${sum} of ${table.count} blocks are accounted for`)
}

/** Every primary is found by its hash, and the index has nothing else. */
function checkNames({ table, index }: Custody): void {
  let primaries = 0
  for (let id = 0; id < table.count; id++) {
    if (table.state[id] !== PRIMARY) continue
    primaries++
    assert(index.find(table.hashes, id * WORDS_PER_HASH) === id, `block ${id} is not found by its hash`)
  }
  assert(index.size === primaries, `${index.size} hashes lead to ${primaries} blocks`)
}

/** Held primaries hold their parent, duplicates their primary; references are at least as many as what is kept. */
function checkKeeping(custody: Custody): void {
  const { table } = custody
  const keepers = new Uint32Array(table.count)
  let orphans = 0
  for (let id = 0; id < table.count; id++) {
    const kept = table.kept(id)
    if (kept >= 0) keepers[kept]!++
    if (kept === ORPHAN) orphans++
    assert(keepsWhatItMust(custody, id), `block ${id}: state ${table.state[id]} keeps ${kept}`)
  }
  assert(orphans === custody.orphans, `${custody.orphans} orphans are indexed, ${orphans} exist`)
  for (const [id, count] of keepers.entries()) {
    assert(count <= table.refs[id]!, `block ${id}: ${count} keepers, ${table.refs[id]} refs`)
  }
}

function keepsWhatItMust({ table, index }: Custody, id: number): boolean {
  const kept = table.kept(id)
  const state = table.state[id]!
  if (state === DUPLICATE) return kept === NONE || index.find(table.hashes, id * WORDS_PER_HASH) === kept
  if (state !== PRIMARY || table.refs[id] === 0) return kept === NONE
  const parent = index.find(table.parents, id * WORDS_PER_HASH)
  if (table.positions[id] === 0) return kept === NONE
  if (parent < 0) return kept === ORPHAN || kept === NONE
  return kept === (table.isParent(parent, id) ? parent : NONE)
}

/** No inactive block is older than a child of it: eviction meets the child first. */
function checkOrder({ table, index, inactiveList }: Custody): void {
  const passed = new Uint8Array(table.count)
  for (const id of inactiveList) {
    passed[id] = 1
    const parent = index.find(table.parents, id * WORDS_PER_HASH)
    if (parent < 0 || !table.isParent(parent, id)) continue
    assert(passed[parent] === 0, `block ${parent} would be evicted before its child ${id}`)
    assert(table.state[parent] === PRIMARY, `block ${parent} is found in state ${table.state[parent]}`)
  }
  for (let id = 0; id < table.count; id++) {
    const isHeld = table.state[id] === MUTABLE || table.state[id] === DISCARDED
    assert(!isHeld || table.kept(id) === NONE, `block ${id}: state ${table.state[id]} keeps ${table.kept(id)}`)
  }
}

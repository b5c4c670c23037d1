import { writeFileSync } from 'node:fs'
import type { BlockHashes } from '@kvbm/core'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  BlockPool,
  type CompleteBlocks,
  type ImmutableBlocks,
  type MutableBlocks,
  type WeakBlocks,
} from '../src/index.js'
import { type NaiveHandle, NaivePool, type Name } from './naive-pool.js'
import { chain, namesOf } from './world.js'

/** Histories to try; 10,000 take about two minutes. */
const HISTORIES = Number(process.env.KVBM_HISTORIES ?? 2000)
/** Where to write what was tried, if anywhere. */
const REPORT = process.env.KVBM_HISTORIES_REPORT
/** Steps of the longest one; the average is half of it. Without 'max' below fast-check would stop at ten. */
const STEPS_MAX = 60

/** Names are nodes of a binary tree of depth 4: the root 0 is no block, the leaves are 15 to 30. */
const DEPTH = 4
const LEAVES = Array.from({ length: 16 }, (_, index) => 15 + index)
const NAMES = Array.from({ length: 30 }, (_, index) => index + 1)
const parentOf = (name: Name): Name => (name - 1) >> 1
const path = (name: Name): Name[] => (name === 0 ? [] : [...path(parentOf(name)), name])

interface Numbers {
  /** Which handle or waiter, modulo how many there are. */
  readonly which: number
  readonly leaf: Name
  readonly from: number
  readonly count: number
  readonly flag: boolean
}

/** The pool under test beside the naive one, and who belongs to whom. */
class Twins {
  readonly real: BlockPool
  readonly naive: NaivePool
  readonly blocks = new Map<NaiveHandle, MutableBlocks | CompleteBlocks | ImmutableBlocks>()
  readonly weak: Array<{ names: Name[]; blocks: WeakBlocks }> = []
  readonly pins: Array<{ handle: NaiveHandle; unpin: () => void }> = []
  /** Copies into the blocks of a handle, which may be gone by now: pins, too. */
  readonly fills: Array<{ into: NaiveHandle; pinned: NaiveHandle; end: () => void }> = []
  readonly aborts: AbortController[] = []
  readonly arrived: MutableBlocks[] = []
  readonly evicted: Name[] = []
  readonly expectedEvictions: Name[] = []

  constructor(numBlocks: number) {
    const observer = {
      evicted: (_ids: Uint32Array, hashes: { words: Uint32Array }) => void this.evicted.push(...namesOf(hashes)),
    }
    this.real = new BlockPool({ numBlocks, pageSize: 16, leaks: 'off', observer, waitersMax: 3 })
    this.naive = new NaivePool(numBlocks, parentOf)
  }

  get available(): number {
    return this.naive.free.size + this.naive.inactive.length
  }

  handle(which: number, kind?: NaiveHandle['kind']): NaiveHandle | undefined {
    const fitting = [...this.blocks.keys()].filter((handle) => kind === undefined || handle.kind === kind)
    return fitting[which % fitting.length]
  }

  isFilling(handle: NaiveHandle): boolean {
    return this.fills.some(({ into }) => into === handle)
  }

  /** The real pool handed these out: free blocks first, then exactly the oldest inactive ones. */
  took(blocks: MutableBlocks): void {
    const ids = [...blocks.ids]
    const free = Math.min(ids.length, this.naive.free.size)
    const evicted = this.naive.inactive.slice(0, ids.length - free)
    expect(ids.slice(0, free).every((id) => this.naive.free.has(id))).toBe(true)
    expect(ids.slice(free)).toEqual(evicted)
    this.expectedEvictions.push(...evicted.map((id) => this.naive.names.get(id)!))
    this.naive.take(ids)
    this.opened({ kind: 'mutable', ids, names: [] }, blocks)
  }

  opened(handle: NaiveHandle, blocks: MutableBlocks | CompleteBlocks | ImmutableBlocks): void {
    expect([...blocks.ids]).toEqual(handle.ids)
    this.blocks.set(this.naive.open(handle), blocks)
  }

  closed(handle: NaiveHandle): void {
    this.naive.handles.delete(handle)
    this.blocks.delete(handle)
  }

  /** What waits for what came back gets it in turn; what can never be had is refused. */
  async settle(): Promise<void> {
    if (this.naive.waiting.length > 0) await new Promise((resolve) => setImmediate(resolve))
    const usable = this.real.total - this.naive.condemned.size
    for (let at = this.naive.waiting.length - 1; at >= 0; at--) {
      if (this.naive.waiting[at]! > usable) this.gaveUp(at)
    }
    while (this.naive.waiting.length > 0 && this.naive.waiting[0]! <= this.available) {
      expect(this.arrived[0]?.count).toBe(this.naive.waiting[0])
      this.gaveUp(0)
      this.took(this.arrived.shift()!)
    }
    expect(this.arrived).toEqual([])
  }

  gaveUp(at: number): void {
    this.naive.waiting.splice(at, 1)
    this.aborts.splice(at, 1)
  }

  compare(): void {
    const { real, naive } = this
    real.checkInvariants()
    expect(this.evicted).toEqual(this.expectedEvictions)
    const counts = [naive.free.size, naive.inactive.length, naive.quarantined.size, naive.waiting.length]
    expect([real.free, real.inactive, real.quarantined, real.waiting]).toEqual(counts)
    for (const [handle, blocks] of this.blocks)
      if ('filling' in blocks) expect(blocks.filling !== undefined).toBe(this.isFilling(handle))
    const present = new Set(naive.names.values())
    expect([...real.scan(chain(NAMES))]).toEqual(NAMES.map((name) => (present.has(name) ? 1 : 0)))
  }
}

function hashesOf({ leaf, from, count }: Numbers): BlockHashes {
  return chain(path(leaf)).subarray(from, from + count)
}

/** The blocks of the longest prefix of `names`. */
function prefix(naive: NaivePool, names: readonly Name[]): NaiveHandle {
  const ids: number[] = []
  for (let id = naive.idOf(names[0] ?? 0); id !== undefined; id = naive.idOf(names[ids.length] ?? 0)) ids.push(id)
  return { kind: 'immutable', ids, names: names.slice(0, ids.length) }
}

/** What a user can do, done to both. A step that does not apply does nothing. */
const steps: Readonly<Record<string, (twins: Twins, numbers: Numbers) => void>> = {
  allocate: (twins, { count }) => {
    const isPossible = count === 0 || (twins.naive.waiting.length === 0 && count <= twins.available)
    if (isPossible) twins.took(twins.real.allocate(count))
    else expect(() => twins.real.allocate(count)).toThrow(/^Not enough free blocks/)
  },
  allocateUpTo: (twins, { count }) => {
    const blocks = twins.real.allocateUpTo(count)
    expect(blocks.count).toBe(twins.naive.waiting.length > 0 ? 0 : Math.min(count, twins.available))
    twins.took(blocks)
  },
  acquire: (twins, { count }) => {
    const { naive, real } = twins
    const abort = new AbortController()
    const isServed = count === 0 || (naive.waiting.length === 0 && count <= twins.available)
    const isHopeless = count > real.total - naive.condemned.size || naive.waiting.length >= 3
    if (isServed || !isHopeless) {
      naive.waiting.push(count)
      twins.aborts.push(abort)
    }
    // One that is served at once does not queue behind others; for none there is no order to keep.
    if (count === 0) naive.waiting.unshift(naive.waiting.pop()!)
    if (count === 0) twins.aborts.unshift(twins.aborts.pop()!)
    real.acquire(count, { signal: abort.signal }).then(
      (blocks) => twins.arrived.push(blocks),
      () => {},
    )
  },
  abort: (twins, { which }) => {
    const { waiting } = twins.naive
    if (waiting.length === 0) return
    twins.aborts[which % waiting.length]!.abort()
    twins.gaveUp(which % waiting.length)
  },
  complete: (twins, numbers) => {
    const handle = twins.handle(numbers.which, 'mutable')
    if (handle === undefined) return
    const blocks = twins.blocks.get(handle) as MutableBlocks
    const hashes = hashesOf({ ...numbers, count: handle.ids.length })
    const isNameable = hashes.count === handle.ids.length && !handle.ids.some((id) => twins.naive.discarded.has(id))
    if (!isNameable || twins.isFilling(handle)) {
      for (const name of [blocks.expectNameable, blocks.complete, blocks.register])
        expect(() => name.call(blocks, hashes)).toThrow(RangeError)
    } else {
      blocks.expectNameable(hashes)
      twins.closed(handle)
      twins.opened({ ...handle, kind: 'complete', names: namesOf(hashes) }, blocks.complete(hashes))
    }
  },
  register: (twins, { which, flag }) => {
    const handle = twins.handle(which, 'complete')
    if (handle === undefined) return
    const blocks = twins.blocks.get(handle) as CompleteBlocks
    const duplicates = flag ? 'allow' : 'reject'
    if (handle.ids.some((id) => twins.naive.discarded.has(id))) {
      expect(() => blocks.register({ duplicates })).toThrow(RangeError)
    } else {
      const registered = blocks.register({ duplicates })
      twins.naive.register(handle, duplicates)
      twins.closed(handle)
      twins.opened(handle, registered)
    }
  },
  put: (twins, numbers) => {
    const hashes = hashesOf({ ...numbers, count: 1 + (numbers.count % DEPTH) })
    if (twins.naive.waiting.length > 0 || hashes.count > twins.available) return
    const blocks = twins.real.allocate(hashes.count)
    twins.took(blocks)
    const handle = [...twins.blocks.keys()].at(-1)!
    const registered = blocks.register(hashes, { duplicates: numbers.flag ? 'allow' : 'reject' })
    handle.names = namesOf(hashes)
    twins.naive.register(handle, numbers.flag ? 'allow' : 'reject')
    twins.opened(handle, registered)
  },
  match: (twins, numbers) => {
    const hashes = hashesOf(numbers)
    twins.opened(prefix(twins.naive, namesOf(hashes)), twins.real.match(hashes))
  },
  touch: (twins, numbers) => {
    const hashes = hashesOf(numbers)
    const handle = twins.naive.open(prefix(twins.naive, namesOf(hashes)))
    expect(twins.real.touch(hashes)).toBe(handle.ids.length)
    twins.naive.release(handle)
  },
  release: (twins, { which }) => {
    const handle = twins.handle(which)
    if (handle === undefined) return
    twins.blocks.get(handle)!.release()
    twins.naive.release(handle)
    twins.closed(handle)
  },
  split: (twins, { which, count }) => {
    const handle = twins.handle(which)
    if (handle === undefined) return
    const at = count % (handle.ids.length + 1)
    if (twins.isFilling(handle)) {
      expect(() => twins.blocks.get(handle)!.split(at)).toThrow(RangeError)
      return
    }
    const halves = twins.blocks.get(handle)!.split(at)
    const cut = (from: number, to?: number): NaiveHandle => {
      return { ...handle, ids: handle.ids.slice(from, to), names: handle.names.slice(from, to) }
    }
    twins.opened(cut(0, at), halves[0])
    twins.opened(cut(at), halves[1])
    twins.closed(handle)
  },
  retain: (twins, { which }) => {
    const handle = twins.handle(which, 'immutable')
    if (handle === undefined) return
    const blocks = twins.blocks.get(handle) as ImmutableBlocks
    twins.opened({ ...handle, ids: [...handle.ids] }, blocks.retain())
  },
  pin: (twins, { which }) => {
    const handle = twins.handle(which)
    if (handle === undefined) return
    const pinned = twins.naive.open({ ...handle, ids: [...handle.ids] })
    twins.pins.push({ handle: pinned, unpin: twins.blocks.get(handle)!.pin() })
  },
  unpin: (twins, { which }) => {
    const [pin] = twins.pins.splice(which % Math.max(1, twins.pins.length), 1)
    if (pin === undefined) return
    pin.unpin()
    twins.naive.release(pin.handle)
  },
  fill: (twins, { which }) => {
    const handle = twins.handle(which, 'mutable')
    if (handle === undefined) return
    const blocks = twins.blocks.get(handle) as MutableBlocks
    const pinned = twins.naive.open({ ...handle, ids: [...handle.ids] })
    twins.fills.push({ into: handle, pinned, end: blocks.fill() })
  },
  endFill: (twins, { which, flag }) => {
    const [fill] = twins.fills.splice(which % Math.max(1, twins.fills.length), 1)
    if (fill === undefined) return
    fill.end()
    if (flag) fill.end()
    twins.naive.release(fill.pinned)
  },
  downgrade: (twins, { which }) => {
    const handle = twins.handle(which, 'immutable')
    if (handle === undefined) return
    const blocks = twins.blocks.get(handle) as ImmutableBlocks
    twins.weak.push({ names: handle.names, blocks: blocks.downgrade() })
  },
  upgrade: (twins, { which }) => {
    const weak = twins.weak[which % twins.weak.length]
    if (weak !== undefined) twins.opened(prefix(twins.naive, weak.names), weak.blocks.upgrade())
  },
  discard: (twins, { which, count, flag }) => {
    const ids = Array.from({ length: count % 3 }, (_, index) => (which + index) % twins.real.total)
    twins.real.discard(Uint32Array.from(ids), { reason: 'discarded', quarantine: flag })
    twins.naive.discard(ids, flag)
  },
  unquarantine: (twins, { which }) => {
    const id = which % twins.real.total
    twins.real.unquarantine(Uint32Array.of(id))
    twins.naive.condemned.delete(id)
    if (twins.naive.quarantined.delete(id)) twins.naive.free.add(id)
  },
  resetBlocks: (twins, numbers) => {
    const { naive } = twins
    const ids = namesOf(hashesOf(numbers)).map((name) => naive.idOf(name))
    const idle = ids.filter((id) => id !== undefined && !naive.isHeld(id)) as number[]
    expect(twins.real.resetBlocks(hashesOf(numbers))).toEqual({
      reset: idle.length,
      notFound: ids.filter((id) => id === undefined).length,
      held: ids.filter((id) => id !== undefined && naive.isHeld(id)).length,
    })
    naive.discard(idle, false)
  },
}

/** How often each kind of step was taken. */
const tried = new Map<string, number>()

class Step implements fc.AsyncCommand<object, Twins> {
  readonly #kind: string
  readonly #numbers: Numbers

  constructor(kind: string, numbers: Numbers) {
    this.#kind = kind
    this.#numbers = numbers
  }

  check(): boolean {
    return true
  }

  async run(_model: object, twins: Twins): Promise<void> {
    tried.set(this.#kind, (tried.get(this.#kind) ?? 0) + 1)
    steps[this.#kind]!(twins, this.#numbers)
    await twins.settle()
    twins.compare()
  }

  toString(): string {
    const { which, leaf, from, count, flag } = this.#numbers
    return `${this.#kind}(which ${which}, leaf ${leaf} from ${from}, count ${count}, ${flag})`
  }
}

const anyNumbers = fc.record({
  which: fc.nat({ max: 11 }),
  leaf: fc.constantFrom(...LEAVES),
  from: fc.nat({ max: DEPTH - 1 }),
  count: fc.nat({ max: DEPTH }),
  flag: fc.boolean(),
})

/** Some more often than others, so that there is something to evict and somebody to wait for it. */
const anyKind = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('put', 'match', 'release') },
  { weight: 2, arbitrary: fc.constantFrom('acquire', 'allocate', 'release') },
  { weight: 6, arbitrary: fc.constantFrom(...Object.keys(steps)) },
)

const anyStep = fc.tuple(anyKind, anyNumbers).map(([kind, numbers]) => new Step(kind, numbers))

test(`the pool does what a naive one does, in ${HISTORIES} random histories (cases 118 and 119)`, {
  timeout: 3_600_000,
}, async () => {
  const seed = Math.trunc(Math.random() * 2 ** 31)
  const begin = performance.now()
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 9 }),
      fc.commands([anyStep], { maxCommands: STEPS_MAX, size: 'max' }),
      (numBlocks, history) => fc.asyncModelRun(() => ({ model: {}, real: new Twins(numBlocks) }), history),
    ),
    { numRuns: HISTORIES, seed },
  )
  expect([...tried.keys()].sort()).toEqual(Object.keys(steps).sort())
  if (REPORT !== undefined) writeFileSync(REPORT, reportOf(seed, (performance.now() - begin) / 1000))
})

function reportOf(seed: number, seconds: number): string {
  const byKind = Object.fromEntries([...tried].sort(([a], [b]) => a.localeCompare(b)))
  const all = Object.values(byKind).reduce((sum, count) => sum + count, 0)
  const when = { date: new Date().toISOString().slice(0, 10), node: process.version, seconds: Math.round(seconds) }
  return `${JSON.stringify({ histories: HISTORIES, steps: all, failures: 0, seed, ...when, byKind }, undefined, 2)}\n`
}

import { HashIndex, type TransferJob } from '@kvbm/core'
import type { Binding } from '@kvbm/native'
import { DiskAllocator, type FoundSlots, type SlotReader } from '@kvbm/storage'
import type { HistoryOptions } from '../../src/history.js'
import { overriding } from '../../src/overriding.js'

const RUN_FIELDS = 5

/** What a defect is like, and what a simulation says when it finds it. */
export interface Defect {
  readonly options: HistoryOptions
  readonly finding: RegExp
  /** Puts it into what readers are, where it cannot lie between manager and machine. */
  readonly plant?: () => Disposable
}

/** Defects that a manager could have, put between it and the machine. A simulation that does not find them is worth nothing. */
export const DEFECTS: Readonly<Record<string, Defect>> = {
  'slots are overwritten without clearing their records first': {
    options: { wrap: (binding) => overriding(binding, { clearSlots: async () => {} }) },
    finding: /nothing had damaged any|was reset before the process died/,
  },
  'a block is told to be on disk before its bytes are': {
    options: { wrap: acknowledgesEarly },
    finding: /nothing had damaged any|Wrong bytes/,
  },
  'a block is told to be on disk before its record is': {
    options: { wrap: (binding) => overriding(binding, { writeSlots: later(binding) }) },
    finding: /was committed, and is lost/,
  },
  'checksums are not compared': {
    options: { integrity: false },
    finding: /Wrong bytes were served/,
  },
  'a copy that failed counts as done': {
    options: { wrap: (binding) => overriding(binding, { submit: (...job) => binding.submit(...job).catch(() => {}) }) },
    finding: /nothing had damaged any|Wrong bytes/,
  },
  'the end of a copy is never told': {
    options: { wrap: forgetsToTell },
    finding: /Somebody (still )?waits|held by nobody/,
  },
  'opening overlooks a block': {
    options: { wrap: (binding) => overriding(binding, { recoverSlots: withoutFirst(binding) }) },
    finding: /was committed, and is lost/,
  },
  'a reader finds nothing': {
    options: {},
    plant: () =>
      inReaders((reader) => {
        const find = reader.find.bind(reader)
        return { find: (hashes) => find(hashes.subarray(0, 0)), scan: ({ count }) => new Uint8Array(count) }
      }),
    finding: /is on disk, and a reader does not find it/,
  },
  'a reader never looks what is new': {
    options: {},
    plant: () => inReaders(() => ({ refresh: async () => {} })),
    finding: /is on disk, and a reader does not find it/,
  },
  'a reader does not look at the records before and after a copy': {
    options: {},
    plant: () => inReaders(() => ({ whileStanding: copyAnyway })),
    finding: /A damaged block was found, and nothing had damaged any/,
  },
}

async function copyAnyway({ slots }: FoundSlots, copy: () => Promise<void>): Promise<number> {
  await copy()
  return slots.length
}

/** Readers that are opened do something in another way, until it is disposed. */
function inReaders(change: (reader: SlotReader) => Partial<SlotReader>): Disposable {
  const { prototype } = DiskAllocator
  const { openSlotsReadOnly } = prototype
  prototype.openSlotsReadOnly = async function (this: DiskAllocator, ...options) {
    const reader = await openSlotsReadOnly.apply(this, options)
    return Object.assign(reader, change(reader))
  }
  return {
    [Symbol.dispose]: () => {
      prototype.openSlotsReadOnly = openSlotsReadOnly
    },
  }
}

/** Writes to files go on after they were acknowledged. */
function acknowledgesEarly(binding: Binding): Binding {
  const files = new Set<number>()
  return overriding(binding, {
    openFile: async (options) => {
      const region = await binding.openFile(options)
      files.add(region.id)
      return region
    },
    submit: async (engine, ticket, job, ...rest: never[]) => {
      const done = binding.submit(engine, ticket, job, ...rest)
      if (!targetsOf(job).some((region) => files.has(region))) return done
      done.catch(() => {})
    },
  })
}

/** Records are written some simulated time after that was promised. */
function later(binding: Binding): Binding['writeSlots'] {
  return async (...args) => {
    setTimeout(() => void binding.writeSlots(...args).catch(() => {}), 20)
  }
}

function forgetsToTell(binding: Binding): Binding {
  let jobs = 0
  return overriding(binding, {
    submit: async (...job) => {
      await binding.submit(...job)
      if (++jobs % 20 === 0) await new Promise(() => {})
    },
  })
}

/** The block that would be given up first is overlooked. */
function withoutFirst(binding: Binding): Binding['recoverSlots'] {
  return async (...args) => {
    const found = await binding.recoverSlots(...args)
    const [first] = found.slots
    if (first === undefined) return found
    const size = found.slots.length
    new HashIndex(found.hashes, { entries: found.index, size }).remove(first)
    return { ...found, slots: found.slots.subarray(1), count: found.count - 1 }
  }
}

function targetsOf({ runs }: TransferJob): number[] {
  const targets: number[] = []
  for (let row = 0; row < runs.length; row += RUN_FIELDS) targets.push(runs[row + 2]!)
  return targets
}

import { describe, expect, test } from 'vitest'
import type { Binding } from '../lib/index.js'
import { bindingConformance, SimulatedMachine, SimulationStalledError } from '../lib/testing/index.js'

const DIRECTORY = '/simulated'
const FILE = { path: `${DIRECTORY}/file`, write: true, create: true, direct: false }

/** A machine with an empty directory. */
function machineOf(seed: number): SimulatedMachine {
  const machine = new SimulatedMachine({ seed, sectorBytes: 512 })
  machine.disk.makeDirectory(DIRECTORY)
  return machine
}

async function openFile(machine: SimulatedMachine, binding: Binding): Promise<number> {
  return (await machine.until(binding.openFile(FILE))).id
}

/** What the next process finds; a power cut may have taken the directory, too. */
async function contentOf(machine: SimulatedMachine, length: number): Promise<string> {
  machine.disk.makeDirectory(DIRECTORY)
  const { binding } = machine.start()
  const bytes = await machine.until(binding.readFile(await openFile(machine, binding), 0, length))
  return Buffer.from(bytes).toString('latin1')
}

/** Things that only a real system has, or that look behind the binding at real files. */
const REAL_ONLY =
  /symbolic link|folder|process|that the system cannot|asks? at once|owner only|a full disk|never shrinks/

describe('a process on it is a binding', () => {
  let machine = machineOf(1)
  const make = () => {
    machine = machineOf(1)
    return machine.start().binding
  }
  for (const { name, skip, run } of bindingConformance(make, { tempDirectory: DIRECTORY })) {
    if (skip === undefined && !REAL_ONLY.test(name)) test(name, () => drive(run(), () => machine))
    else test.skip(`${name} (skipped: ${skip ?? 'needs a real system'})`, run)
  }
})

/** The machine is made within the case. */
async function drive(running: Promise<void>, machine: () => SimulatedMachine): Promise<void> {
  await machine().until(running)
}

describe('two runs', () => {
  const live = async (seed: number): Promise<string> => {
    const machine = machineOf(seed)
    const { binding } = machine.start()
    const file = await openFile(machine, binding)
    const writes = ['aa', 'bb', 'cc'].map((text, index) => binding.writeFile(file, index, Buffer.from(text)))
    await machine.until(Promise.all(writes))
    return machine.scheduler.digest
  }

  test('of one seed are the same to the last turn', async () => {
    expect(await live(7)).toBe(await live(7))
  })

  test('of several seeds differ', async () => {
    const digests = await Promise.all([1, 2, 3, 4].map(live))
    expect(new Set(digests).size).toBeGreaterThan(1)
  })
})

describe('a kill', () => {
  test('takes nothing that was written, and ends what was under way', async () => {
    const machine = machineOf(1)
    const { binding } = machine.start()
    const file = await openFile(machine, binding)
    await machine.until(binding.writeFile(file, 0, Buffer.from('kept')))
    let isSettled = false
    void binding.writeFile(file, 4, Buffer.from('more')).finally(() => {
      isSettled = true
    })
    machine.kill()
    expect(await contentOf(machine, 4)).toBe('kept')
    expect(isSettled).toBe(false)
  })

  test('leaves a write undone, done in part, or done', async () => {
    const found = new Set<string>()
    for (let seed = 0; seed < 200; seed++) {
      const machine = machineOf(seed)
      const { binding } = machine.start()
      const file = await openFile(machine, binding)
      void binding.writeFile(file, 0, Buffer.from('abc'))
      for (let turns = machine.random.below(3); turns > 0; turns--) await machine.step()
      machine.kill()
      found.add(await contentOf(machine, 3))
    }
    expect(found).toEqual(new Set(['', 'a', 'ab', 'abc']))
  })

  test('gives locks back', async () => {
    const machine = machineOf(1)
    const path = `${DIRECTORY}/lock`
    const first = machine.start()
    expect(await machine.until(first.binding.lockFile(path))).toBeDefined()
    expect(await machine.until(machine.start().binding.lockFile(path))).toBeUndefined()
    machine.kill()
    expect(await machine.until(machine.start().binding.lockFile(path))).toBeDefined()
  })
})

describe('a power cut', () => {
  /** Two sectors: flushed as `aa`, then written as `bb`. */
  const afterCut = async (seed: number, flush: boolean): Promise<string> => {
    const machine = machineOf(seed)
    const { binding } = machine.start()
    const file = await openFile(machine, binding)
    await machine.until(binding.writeFile(file, 0, Buffer.alloc(1024, 'a')))
    if (flush) await machine.until(binding.syncFile(file))
    await machine.until(binding.writeFile(file, 0, Buffer.alloc(1024, 'b')))
    machine.cutPower()
    const found = await contentOf(machine, 1024)
    return found.length === 1024 ? found[0]! + found[512]! : found
  }

  test('takes any of the sectors that were not flushed, and nothing that was', async () => {
    const found = new Set<string>()
    for (let seed = 0; seed < 100; seed++) found.add(await afterCut(seed, true))
    // The name may go even so; the bytes may not.
    found.delete('')
    expect(found).toEqual(new Set(['aa', 'ab', 'ba', 'bb']))
  })

  test('takes what was never flushed, with its name or without', async () => {
    const found = new Set<string>()
    for (let seed = 0; seed < 100; seed++) found.add(await afterCut(seed, false))
    expect(found.has('')).toBe(true)
    expect(found.has('bb')).toBe(true)
    expect(found.size).toBeGreaterThan(4)
  })
})

test('whoever waits for nothing is told', async () => {
  const machine = machineOf(1)
  await expect(machine.until(new Promise(() => {}))).rejects.toThrow(SimulationStalledError)
})

test('time jumps to the next timer when nothing else is under way', async () => {
  const machine = machineOf(1)
  const { process } = machine.start()
  const fired: string[] = []
  process.setTimeout(() => fired.push('late'), 60_000)
  process.setTimeout(() => fired.push('soon'), 1000)
  process.setTimeout(() => fired.push('never'), 500).cancel()
  while (await machine.step());
  expect(fired).toEqual(['soon', 'late'])
  expect(machine.scheduler.nowMs).toBeGreaterThanOrEqual(60_000)
})

test('a full disk refuses what is longer, and takes it when there is room', async () => {
  const machine = machineOf(1)
  const { binding } = machine.start()
  const file = await openFile(machine, binding)
  machine.disk.capacityBytes = 10
  const write = () => machine.until(binding.writeFile(file, 0, Buffer.alloc(11)))
  await expect(write()).rejects.toMatchObject({ code: 'KVBM_STORAGE_FULL' })
  machine.disk.capacityBytes = 11
  await write()
})

import type { Binding } from '../../binding.js'
import { PortableBinding } from '../../portable/portable-binding.js'
import type { PowerCut } from './file-content.js'
import { Scheduler } from './scheduler.js'
import { SeededRandom } from './seeded-random.js'
import { SimulatedDisk, type SimulatedDiskOptions } from './simulated-disk.js'
import { SimulatedFiles } from './simulated-files.js'
import { SimulatedProcess } from './simulated-process.js'

/** What a simulated machine is made from. */
export interface SimulatedMachineOptions extends Partial<SimulatedDiskOptions> {
  /** The same seed and the same program give the same trace. */
  readonly seed: number
  /** Gets every line of the trace. */
  readonly onNote?: (line: string) => void
}

/** A process and what it reaches the machine by. */
export interface StartedProcess {
  readonly process: SimulatedProcess
  readonly binding: Binding
  readonly files: SimulatedFiles
}

/** Turns after which whoever still waits is taken to wait for ever. */
const TURNS_MAX = 200_000
const endOfTurn = setImmediate

/** Thrown where somebody waits and nothing is under way that could end the wait. */
export class SimulationStalledError extends Error {}

/**
 * A machine in memory, **for tests only**: one processor, a disk with a cache, a clock, and a scheduler that decides by the seed
 * what happens next. Nothing of it is real I/O and nothing happens by itself: `step` or `until` let things happen. Processes can
 * be killed and the power can be cut at any moment; the disk is there afterwards.
 */
export class SimulatedMachine {
  readonly random: SeededRandom
  readonly scheduler: Scheduler
  readonly disk: SimulatedDisk
  readonly #running = new Set<SimulatedProcess>()

  constructor({ seed, onNote, sectorBytes = 512, capacityBytes = Number.POSITIVE_INFINITY }: SimulatedMachineOptions) {
    this.random = new SeededRandom(seed)
    this.scheduler = new Scheduler(this.random, onNote)
    this.disk = new SimulatedDisk(this.random, { sectorBytes, capacityBytes })
  }

  /** A process on this machine: the portable twin on simulated ground. */
  start(): StartedProcess {
    const process = new SimulatedProcess(this)
    this.#running.add(process)
    return { process, binding: new PortableBinding(process), files: new SimulatedFiles(process) }
  }

  /** SIGKILL to all processes. What they had written is in the kernel's hands; of what they were about to write, any part. */
  kill(): void {
    for (const process of this.#running) this.killOne(process)
  }

  /** SIGKILL to one process. */
  killOne(process: SimulatedProcess): void {
    this.scheduler.note('SIGKILL')
    this.#running.delete(process)
    process.die(true)
  }

  /** All processes are gone, and of what was not flushed only some. */
  cutPower(cut: PowerCut = 'some'): void {
    this.scheduler.note(`power cut: ${cut}`)
    for (const process of this.#running) process.die(false)
    this.#running.clear()
    this.disk.cutPower(cut)
  }

  /** One turn of something that is under way, and all that follows from it at once. False where nothing is under way. */
  async step(): Promise<boolean> {
    const isTaken = this.scheduler.step()
    await this.settle()
    return isTaken
  }

  /** Lets things happen until the promise has settled. Rejects with `SimulationStalledError` where nothing can settle it. */
  async until<T>(promise: Promise<T>): Promise<T> {
    let isSettled = false
    const settled = (): void => {
      isSettled = true
    }
    promise.then(settled, settled)
    await this.settle()
    for (let turns = 0; !isSettled; turns++) {
      if (turns === TURNS_MAX) throw new SimulationStalledError(`Somebody still waits after ${TURNS_MAX} turns.`)
      if (!(await this.step()) && !isSettled)
        throw new SimulationStalledError('Somebody waits, and nothing is under way that could end the wait.')
    }
    return promise
  }

  /** All promises that can settle without another turn have settled. */
  settle(): Promise<void> {
    return new Promise((resolve) => endOfTurn(resolve))
  }

  /** Lets things happen until nothing is under way. Rejects with `SimulationStalledError` where that has no end. */
  async idle(): Promise<void> {
    for (let turns = 0; await this.step(); turns++)
      if (turns === TURNS_MAX) throw new SimulationStalledError(`Something still goes on after ${TURNS_MAX} turns.`)
  }
}

import type { LockHandle, OpenFileOptions } from '../../binding.js'
import type { PortableFile, PortableMachine } from '../../portable/machine.js'
import { ioError } from '../../portable/node-file.js'
import type { Scheduler, Turn } from './scheduler.js'
import type { SeededRandom } from './seeded-random.js'
import type { SimulatedDisk } from './simulated-disk.js'
import { openContent, SimulatedFile } from './simulated-file.js'
import { SimulatedTimer } from './simulated-timer.js'
import type { TakesTurns } from './takes-turns.js'

/** How often an access takes long, and how long then. */
export interface Stalls {
  readonly chance: number
  readonly mostMs: number
}

/** What a process runs on. */
export interface ProcessGround {
  readonly random: SeededRandom
  readonly scheduler: Scheduler
  readonly disk: SimulatedDisk
}

/** One process of a simulated machine: what it asks for happens in turns, and not at all once it has died. */
export class SimulatedProcess implements PortableMachine, TakesTurns {
  /** Jobs in memory take turns like all others, so that whatever may happen between begin and end does. */
  readonly inlineBytes = -1
  stalls: Stalls = { chance: 0, mostMs: 0 }
  readonly #ground: ProcessGround
  readonly #locks = new Set<LockHandle>()
  #isDead = false

  constructor(ground: ProcessGround) {
    this.#ground = ground
  }

  get random(): SeededRandom {
    return this.#ground.random
  }

  get nowMs(): number {
    return this.#ground.scheduler.nowMs
  }

  get disk(): SimulatedDisk {
    return this.#ground.disk
  }

  /** Resolves with what `effect` gave when its turn has come; never where the process dies before. */
  turn<T = void>(what = 'a turn', effect?: () => T, mayFollowDeath = false): Promise<T> {
    return new Promise((resolve, reject) => {
      const take = (): void => {
        try {
          resolve(effect?.() as T)
        } catch (error) {
          reject(error)
        }
      }
      this.#add({ what, dueMs: this.#due(), owner: this, take, ...(mayFollowDeath ? { afterDeath: take } : {}) })
    })
  }

  async openFile(options: OpenFileOptions): Promise<PortableFile> {
    const { path } = options
    try {
      const content = await this.turn(`open ${path}`, () => openContent(this.disk, path, options))
      return new SimulatedFile(this, this.disk, { path, content, isWritable: options.write })
    } catch (error) {
      throw ioError(`Opening ${path}`, error)
    }
  }

  async lockFile(path: string): Promise<LockHandle | undefined> {
    try {
      return await this.turn(`lock ${path}`, () => this.#lock(path))
    } catch (error) {
      throw ioError(`Locking ${path}`, error)
    }
  }

  setTimeout(act: () => void, delayMs: number): SimulatedTimer {
    const dueMs = this.nowMs + Math.max(1, delayMs)
    const turn: Turn = { what: `timer of ${delayMs} ms`, dueMs, owner: this, take: act }
    this.#add(turn)
    return new SimulatedTimer(() => this.#ground.scheduler.remove(turn))
  }

  setImmediate(act: () => void): SimulatedTimer {
    const turn: Turn = { what: 'immediate', dueMs: this.nowMs, owner: this, take: act }
    this.#add(turn)
    return new SimulatedTimer(() => this.#ground.scheduler.remove(turn))
  }

  /** Nothing of it happens any more, except that the kernel may end some of the writes it had begun. */
  die(mayFinishWrites: boolean): void {
    this.#isDead = true
    for (const { afterDeath } of this.#ground.scheduler.drop(this))
      if (mayFinishWrites && this.random.chance(0.5)) afterDeath?.()
    for (const lock of this.#locks) lock.release()
  }

  #lock(path: string): LockHandle | undefined {
    if (this.disk.entry(path) === undefined) this.disk.createFile(path)
    if (this.disk.locks.has(path)) return undefined
    this.disk.locks.add(path)
    const lock = { release: () => void (this.#locks.delete(lock) && this.disk.locks.delete(path)) }
    this.#locks.add(lock)
    return lock
  }

  #add(turn: Turn): void {
    if (!this.#isDead) this.#ground.scheduler.add(turn)
  }

  #due(): number {
    const { chance, mostMs } = this.stalls
    return this.nowMs + (chance > 0 && this.random.chance(chance) ? this.random.unit() * mostMs : 0)
  }
}

import type { ManagerEvent } from '@kvbm/manager'
import type { Facts } from './facts.js'
import { runOn } from './ground.js'
import type { Life } from './life.js'

/** One block on disk: its name in hex and its slot. */
interface Stored {
  readonly name: string
  readonly slot: number
}

/**
 * What must be true of the disk, kept beside it. Of a living manager: what it announced as stored and not as removed is there, and
 * nothing else. After a death: every block that was there is found again.
 */
export class Ledger {
  readonly #facts: Facts
  readonly #announced = new Set<string>()
  /** Slots whose records were damaged where they lie. */
  readonly #damagedSlots = new Set<number>()
  #expected: Stored[] = []
  #forgotten = new Set<string>()

  constructor(facts: Facts) {
    this.#facts = facts
  }

  readonly note = (event: ManagerEvent): void => {
    if (event.type !== 'stored' && event.type !== 'removed') return
    if (event.tier !== 'disk') return
    for (const name of event.hashes.toHexArray()) {
      if (event.type === 'stored') this.#announced.add(name)
      else this.#announced.delete(name)
    }
  }

  damaged(slot: number): void {
    this.#damagedSlots.add(slot)
  }

  /** A manager that was just opened has what it must have. */
  begin(life: Life): void {
    const found = namesOn(life)
    const { numBlocks } = life.manager.disk
    const expected = this.#expected.filter(({ slot }) => slot < numBlocks && !this.#damagedSlots.has(slot))
    for (const { name, slot } of expected)
      if (!found.has(name)) throw new Error(`Block ${name} of slot ${slot} was committed, and is lost.`)
    for (const name of this.#forgotten)
      if (found.has(name)) throw new Error(`Block ${name} was reset before the process died, and is back.`)
    this.#facts.blocksFoundAgain += expected.length
    this.#announced.clear()
    for (const name of found) this.#announced.add(name)
    this.#expected = []
    this.#forgotten.clear()
  }

  /** What a living manager has is what it announced. */
  check(life: Life): void {
    const found = namesOn(life)
    for (const name of found)
      if (!this.#announced.has(name)) throw new Error(`Block ${name} is on disk, and was not announced.`)
    if (found.size === this.#announced.size) return
    throw new Error(`${this.#announced.size} blocks were announced on disk, and ${found.size} are there.`)
  }

  /** Who reads beside a writer that does nothing finds what this one has. */
  checkBeside(writer: Life, { ground, manager }: Life): void {
    for (const { name, slot } of storedOn(writer)) {
      if (this.#damagedSlots.has(slot)) continue
      using found = runOn(ground, () => manager.disk.match(writer.prompts.blocks.get(name)!))
      if (found.count === 0) throw new Error(`Block ${name} of slot ${slot} is on disk, and a reader does not find it.`)
    }
  }

  /** The process dies, or ends; `forgotten` are names that it had reset, with nothing under way that could bring them back. */
  end(life: Life, forgotten: readonly string[] = []): void {
    this.#expected = storedOn(life)
    this.#forgotten = new Set(forgotten)
  }

  /** A process began to open so many slots, and died: those beyond may be gone. */
  begun(numSlots: number): void {
    this.#expected = this.#expected.filter(({ slot }) => slot < numSlots)
  }

  /** What was removed while the manager closed need not be found again. */
  closed(): void {
    this.#expected = this.#expected.filter(({ name }) => this.#announced.has(name))
  }

  /** Nothing is promised of what was not flushed. */
  forgetAll(): void {
    this.#expected = []
    this.#forgotten.clear()
  }
}

/** Names of all blocks of the disk tier. Changes nothing, not even which block was used last. */
function namesOn({ prompts, pools }: Life): Set<string> {
  const pool = pools.get('disk')!
  return new Set([...prompts.blocks].filter(([, hash]) => pool.matchCount(hash) > 0).map(([name]) => name))
}

/** Every block of the disk tier with its slot. */
function storedOn(life: Life): Stored[] {
  return [...namesOn(life)].map((name) => {
    using block = life.pools.get('disk')!.peek(life.prompts.blocks.get(name)!)
    return { name, slot: block.ids[0]! }
  })
}

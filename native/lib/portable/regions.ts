import { invalidArgument } from '@kvbm/core'
import type { PortableFile, PortableMachine } from './machine.js'
import type { PortableMemory } from './memory.js'

/** Memory or a file, never both. */
export interface PortableRegion {
  readonly id: number
  readonly memory?: PortableMemory
  readonly file?: PortableFile
}

interface Entry extends PortableRegion {
  users: number
  closed: boolean
}

/**
 * A region ends when it is closed and nobody uses it. Numbers are unique in this copy of the module, and far above those of the
 * addon, so that a region given to the wrong binding is refused and never taken for another.
 */
let nextId = 2 ** 40

/** Memory and files by number. */
export class PortableRegions {
  readonly machine: PortableMachine
  readonly #entries = new Map<number, Entry>()

  constructor(machine: PortableMachine) {
    this.machine = machine
  }

  add(region: Omit<PortableRegion, 'id'>): number {
    const id = nextId++
    this.#entries.set(id, { ...region, id, users: 0, closed: false })
    return id
  }

  get(id: number): PortableRegion {
    const entry = this.#entries.get(id)
    if (entry === undefined || entry.closed) throw invalidArgument('region', 'the number of an open region', id)
    return entry
  }

  memory(id: number): PortableMemory {
    const { memory } = this.get(id)
    if (memory === undefined) throw invalidArgument('region', 'memory, not a file', id)
    return memory
  }

  /** Keeps the regions from ending until the returned function is called. */
  hold(regions: Iterable<PortableRegion>): () => void {
    const held = [...regions] as Entry[]
    for (const entry of held) entry.users++
    return () => {
      for (const entry of held) {
        entry.users--
        this.#endIfUnused(entry)
      }
    }
  }

  /** Runs `act` on a file that stays open until it is done. */
  async withFile<T>(id: number, act: (file: PortableFile) => Promise<T>): Promise<T> {
    const region = this.get(id)
    if (region.file === undefined) throw invalidArgument('region', 'a file, not memory', id)
    const release = this.hold([region])
    try {
      return await act(region.file)
    } finally {
      release()
    }
  }

  close(id: number): void {
    const entry = this.#entries.get(id)
    if (entry === undefined || entry.closed) return
    entry.closed = true
    this.#endIfUnused(entry)
  }

  #endIfUnused(entry: Entry): void {
    if (!entry.closed || entry.users > 0) return
    this.#entries.delete(entry.id)
    entry.memory?.end()
    void entry.file?.close()
  }
}

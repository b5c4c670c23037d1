import { dirname } from 'node:path'
import { FileContent, type PowerCut } from './file-content.js'
import type { SeededRandom } from './seeded-random.js'

/** A file's bytes, or a directory. */
export type Entry = FileContent | 'directory'

/** Size and grain of a simulated disk. */
export interface SimulatedDiskOptions {
  /** What the medium writes as a whole, in bytes: 512 or 4,096. */
  readonly sectorBytes: number
  /** Files together hold no more bytes than this. */
  readonly capacityBytes: number
}

type NameChange = (names: Map<string, Entry>) => void

/**
 * A file system in memory. What a process has written survives the process; what was not flushed may be lost in a power cut: of
 * bytes any sectors, of names everything from some change on, as with a journal.
 */
export class SimulatedDisk {
  readonly locks = new Set<string>()
  capacityBytes: number
  readonly #random: SeededRandom
  readonly #sectorBytes: number
  #names = new Map<string, Entry>([['/', 'directory']])
  #durableNames = new Map(this.#names)
  readonly #journal: NameChange[] = []
  #files = 0

  constructor(random: SeededRandom, { sectorBytes, capacityBytes }: SimulatedDiskOptions) {
    this.#random = random
    this.#sectorBytes = sectorBytes
    this.capacityBytes = capacityBytes
  }

  get usedBytes(): number {
    let bytes = 0
    for (const entry of this.#names.values()) if (entry !== 'directory') bytes += entry.sizeBytes
    return bytes
  }

  entry(path: string): Entry | undefined {
    return this.#names.get(path)
  }

  /** The file at a path. Throws as the system would. */
  file(path: string): FileContent {
    const entry = this.#names.get(path)
    if (entry === undefined) throw systemError('ENOENT', path)
    if (entry === 'directory') throw systemError('EISDIR', path)
    return entry
  }

  createFile(path: string): FileContent {
    this.#expectDirectory(dirname(path))
    const content = new FileContent(++this.#files, this.#sectorBytes)
    this.#change((names) => names.set(path, content))
    return content
  }

  makeDirectory(path: string): void {
    if (this.#names.get(path) === 'directory' || dirname(path) === path) return
    if (this.#names.has(path)) throw systemError('EEXIST', path)
    this.makeDirectory(dirname(path))
    this.#change((names) => names.set(path, 'directory'))
  }

  rename(from: string, to: string): void {
    const content = this.file(from)
    this.#expectDirectory(dirname(to))
    this.#change((names) => {
      names.delete(from)
      names.set(to, content)
    })
  }

  remove(path: string): void {
    this.file(path)
    this.#change((names) => names.delete(path))
  }

  /** Throws ENOSPC where a file cannot become so long. */
  expectRoom(content: FileContent, sizeBytes: number): void {
    const more = Math.max(0, sizeBytes - content.sizeBytes)
    if (more > 0 && this.usedBytes + more > this.capacityBytes) throw systemError('ENOSPC', 'the simulated disk')
  }

  /** A file's bytes reach the medium; its name perhaps. */
  flush(content: FileContent): void {
    content.flush()
    if (this.#random.chance(0.5)) this.#commitNames(this.#journal.length)
  }

  /** What a kernel does by and by. */
  writeBack(share: number): void {
    for (const entry of this.#names.values()) if (entry !== 'directory') entry.writeBack(this.#random, share)
    if (this.#random.chance(share)) this.#commitNames(this.#random.below(this.#journal.length + 1))
  }

  /** All that was not flushed is in doubt. */
  cutPower(cut: PowerCut): void {
    this.#commitNames(cut === 'none' ? 0 : this.#random.below(this.#journal.length + 1))
    this.#journal.length = 0
    this.#names = new Map(this.#durableNames)
    for (const entry of new Set(this.#names.values())) if (entry !== 'directory') entry.cutPower(this.#random, cut)
  }

  #change(change: NameChange): void {
    change(this.#names)
    this.#journal.push(change)
  }

  #commitNames(count: number): void {
    for (const change of this.#journal.splice(0, count)) change(this.#durableNames)
  }

  #expectDirectory(path: string): void {
    if (this.#names.get(path) !== 'directory') throw systemError('ENOENT', path)
  }
}

/** An error as Node's file system gives it. */
export function systemError(code: string, path: string): NodeJS.ErrnoException {
  return Object.assign(new Error(`${code}: simulated, ${path}`), { code })
}

import type { Entry } from './simulated-disk.js'
import { systemError } from './simulated-disk.js'
import { openContent } from './simulated-file.js'
import type { SimulatedProcess } from './simulated-process.js'

/** As much of a file's `Stats` as says whose it is and what it is. */
export interface SimulatedStats {
  readonly size: number
  readonly mode: number
  readonly uid: number
  readonly nlink: number
  readonly dev: number
  readonly ino: number
  isDirectory(): boolean
  isFile(): boolean
  isSymbolicLink(): boolean
}

/** What a simulated process asks of `node:fs/promises`: names, directories and small texts. Same names, same errors. */
export class SimulatedFiles {
  readonly #process: SimulatedProcess

  constructor(process: SimulatedProcess) {
    this.#process = process
  }

  mkdir(path: string): Promise<void> {
    return this.#process.turn(`mkdir ${path}`, () => this.#process.disk.makeDirectory(path))
  }

  lstat(path: string): Promise<SimulatedStats> {
    return this.#process.turn(`lstat ${path}`, () => {
      const entry = this.#process.disk.entry(path)
      if (entry === undefined) throw systemError('ENOENT', path)
      return statsOf(entry)
    })
  }

  stat(path: string): Promise<SimulatedStats> {
    return this.lstat(path)
  }

  readFile(path: string): Promise<string> {
    return this.#process.turn(`readFile ${path}`, () => {
      const content = this.#process.disk.file(path)
      const bytes = Buffer.alloc(content.sizeBytes)
      content.read(bytes, 0)
      return bytes.toString('utf8')
    })
  }

  writeFile(path: string, text: string): Promise<void> {
    return this.#process.turn(`writeFile ${path}`, () =>
      openContent(this.#process.disk, path, { create: true }).write(Buffer.from(text), 0),
    )
  }

  rename(from: string, to: string): Promise<void> {
    return this.#process.turn(`rename ${from}`, () => this.#process.disk.rename(from, to))
  }

  unlink(path: string): Promise<void> {
    return this.#process.turn(`unlink ${path}`, () => this.#process.disk.remove(path))
  }
}

function statsOf(entry: Entry): SimulatedStats {
  const isDirectory = entry === 'directory'
  return {
    size: isDirectory ? 0 : entry.sizeBytes,
    mode: isDirectory ? 0o40700 : 0o100600,
    uid: process.getuid?.() ?? 0,
    nlink: 1,
    dev: 1,
    ino: isDirectory ? 0 : entry.inode,
    isDirectory: () => isDirectory,
    isFile: () => !isDirectory,
    isSymbolicLink: () => false,
  }
}

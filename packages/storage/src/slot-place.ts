import type { BigIntStats } from 'node:fs'
import { stat } from 'node:fs/promises'
import { StorageIoError } from '@kvbm/core'
import { explained } from './private-directory.js'

/** The directory of a slot file and what must lie in it. */
export interface PlacePaths {
  readonly directory: string
  readonly table: string
  readonly data: string
}

/**
 * Remembers which directory and which files were opened. Open files go on working after somebody removed or replaced them, but
 * nobody finds their blocks again; so whoever stores blocks asks from time to time.
 */
export class SlotPlace {
  readonly #directory: string
  /** Device and inode by path. */
  readonly #opened: ReadonlyMap<string, string>
  #seenMs = Number.NEGATIVE_INFINITY
  #looking: Promise<void> | undefined

  private constructor(directory: string, opened: ReadonlyMap<string, string>) {
    this.#directory = directory
    this.#opened = opened
  }

  /** To be called while the files are open. Rejects with `StorageIoError` when they are gone already. */
  static async of({ directory, table, data }: PlacePaths): Promise<SlotPlace> {
    const paths = [directory, table, data]
    const found = await Promise.all(paths.map((path) => identityOf(directory, path)))
    return new SlotPlace(directory, new Map(paths.map((path, index) => [path, found[index] ?? 'not there'])))
  }

  /**
   * Rejects with `StorageIoError` where the directory or a file is gone, is another one, or cannot be asked for. What was seen at
   * most `ageMs` milliseconds ago counts.
   */
  async expect(ageMs: number): Promise<void> {
    if (performance.now() - this.#seenMs <= ageMs) return
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined
    })
    await this.#looking
  }

  async #look(): Promise<void> {
    const begun = performance.now()
    for (const [path, opened] of this.#opened) {
      const found = await identityOf(this.#directory, path)
      if (found !== opened) throw this.#gone(path, found)
    }
    this.#seenMs = begun
  }

  #gone(path: string, found: string | undefined): StorageIoError {
    const what = found === undefined ? 'is not there any more' : 'is not the one that was opened'
    const remedy = 'Bring it back, or close what has it open and open it again.'
    return new StorageIoError(`${path} ${what}: blocks stored now would go with this process. ${remedy}`)
  }
}

function identityOf(directory: string, path: string): Promise<string | undefined> {
  return explained(directory, async () => {
    try {
      return identity(await stat(path, { bigint: true }))
    } catch (error) {
      if (isAbsence(error)) return undefined
      throw error
    }
  })
}

function identity({ dev, ino }: BigIntStats): string {
  return `${dev}:${ino}`
}

function isAbsence(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code
  return code === 'ENOENT' || code === 'ENOTDIR'
}

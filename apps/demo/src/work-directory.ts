import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A directory, and whether it goes when it is disposed of. */
export class WorkDirectory implements AsyncDisposable {
  readonly path: string
  readonly #isTemporary: boolean

  private constructor(path: string, isTemporary: boolean) {
    this.path = path
    this.#isTemporary = isTemporary
  }

  /** The given directory, which stays; without one a temporary directory. */
  static async open(path?: string): Promise<WorkDirectory> {
    return path === undefined
      ? new WorkDirectory(await mkdtemp(join(tmpdir(), 'kvbm-demo-')), true)
      : new WorkDirectory(path, false)
  }

  /** What its files occupy. */
  async usedBytes(): Promise<number> {
    const entries = await readdir(this.path, { recursive: true, withFileTypes: true })
    const files = entries.filter((entry) => entry.isFile()).map((file) => stat(join(file.parentPath, file.name)))
    return (await Promise.all(files)).reduce((sum, { blocks }) => sum + blocks * 512, 0)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isTemporary) await rm(this.path, { recursive: true, force: true })
  }
}

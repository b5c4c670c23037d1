import { open } from 'node:fs/promises'
import { UsageError } from './usage-error.js'

/** Somewhere to write data to as JSON at the end: whether that works is found out before the work begins. */
export class JsonFile {
  readonly #path: string | undefined

  private constructor(path: string | undefined) {
    this.#path = path
  }

  /** Throws `UsageError`. Without a path nothing is ever written. */
  static async open(path: string | undefined): Promise<JsonFile> {
    if (path !== undefined)
      try {
        await (await open(path, 'a')).close()
      } catch (error) {
        throw new UsageError(`--json: this file cannot be written: ${(error as Error).message}.`)
      }
    return new JsonFile(path)
  }

  async write(data: object): Promise<void> {
    if (this.#path === undefined) return
    await using file = await open(this.#path, 'w')
    await file.writeFile(`${JSON.stringify(data, undefined, 2)}\n`)
  }
}

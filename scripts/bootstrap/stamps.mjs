import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Remembers what was made ready from what: a name, and a value that is compared when it comes to this again. */
export class Stamps {
  #file
  #values

  constructor(folder) {
    mkdirSync(folder, { recursive: true })
    this.#file = join(folder, 'stamps.json')
    this.#values = readOrNothing(this.#file)
  }

  get(name) {
    return this.#values[name]
  }

  /** Runs `work` and remembers its value. Nothing is remembered while it runs: who is killed has done nothing. */
  async around(name, work) {
    this.#set(name, undefined)
    const value = await work()
    this.#set(name, value)
    return value
  }

  #set(name, value) {
    this.#values[name] = value
    writeFileSync(this.#file, `${JSON.stringify(this.#values, null, 2)}\n`)
  }
}

function readOrNothing(file) {
  try {
    return JSON.parse(readFileSync(file, 'utf8'))
  } catch {
    return {}
  }
}

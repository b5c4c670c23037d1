import { createHash } from 'node:crypto'
import { appendFileSync, readFileSync } from 'node:fs'
import type { BlockTap } from './tapped-driver.js'

/** One block of so many is looked at, by its name: the same ones in every process. */
const SAMPLE_EVERY = 4

/** Writes down what captured and restored blocks hold, in their order. A killed process leaves at most half a line. */
export class Journal implements BlockTap {
  readonly #path: string

  constructor(path: string) {
    this.#path = path
  }

  wants(name: string): boolean {
    return Number.parseInt(name.slice(0, 4), 16) % SAMPLE_EVERY === 0
  }

  captured(name: string, bytes: Buffer): void {
    this.#write('captured', name, bytes)
  }

  restored(name: string, bytes: Buffer): void {
    this.#write('restored', name, bytes)
  }

  #write(what: 'captured' | 'restored', name: string, bytes: Buffer): void {
    appendFileSync(this.#path, `${what} ${name} ${createHash('sha256').update(bytes).digest('hex')}\n`)
  }
}

/** What a journal says. */
export interface Verdict {
  /** Sampled blocks that were captured, and how many different ones. */
  readonly captured: number
  readonly names: number
  /** Sampled blocks that were handed over to the engine. */
  readonly restored: number
  /** Of them those whose bytes are not the bytes of any capture of the same prefix before. Must be 0. */
  readonly wrong: number
}

/** Holds what was handed over against what had been captured. What a kill cut off is left out. */
export function judge(path: string): Verdict {
  const known = new Map<string, Set<string>>()
  let [captured, restored, wrong] = [0, 0, 0]
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    const [what, name, sum] = line.split(' ')
    if (name === undefined || sum?.length !== 64) continue
    if (what === 'captured') {
      captured++
      known.set(name, (known.get(name) ?? new Set()).add(sum))
    } else {
      restored++
      if (!known.get(name)?.has(sum)) wrong++
    }
  }
  return { captured, names: known.size, restored, wrong }
}

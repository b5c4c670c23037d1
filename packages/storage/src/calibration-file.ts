import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { availableParallelism, hostname } from 'node:os'
import { join } from 'node:path'
import type { DiskPace } from '@kvbm/native'
import { isDepth, isRequestBytes } from './disk-pace.js'
import { checkOwnFile } from './private-directory.js'

/** Raised when the trial changes so much that an older result says nothing. */
const VERSION = 1

/**
 * What a calibration found, as JSON beside the slots, for the machine and the device that it was found on. Damaged, foreign or
 * made elsewhere is as good as missing; a directory where it cannot be kept is calibrated again at the next opening.
 */
export class CalibrationFile {
  readonly #directory: string
  readonly #path: string

  constructor(directory: string) {
    this.#directory = directory
    this.#path = join(directory, 'calibration.json')
  }

  async read(): Promise<DiskPace | undefined> {
    try {
      if (!(await checkOwnFile(this.#directory, this.#path))) return undefined
      return paceOf(JSON.parse(await readFile(this.#path, 'utf8')), await this.#where())
    } catch {
      return undefined
    }
  }

  /** Whole or not at all. False where it cannot be kept. */
  async keep({ depth, requestBytes }: DiskPace): Promise<boolean> {
    const begun = `${this.#path}.new`
    try {
      const text = `${JSON.stringify({ version: VERSION, ...(await this.#where()), depth, requestBytes })}\n`
      await rm(begun, { force: true })
      await writeFile(begun, text, { mode: 0o600, flag: 'wx' })
      await rename(begun, this.#path)
      return true
    } catch {
      return false
    }
  }

  async #where(): Promise<Place> {
    const { dev } = await stat(this.#directory, { bigint: true })
    return { device: String(dev), machine: `${hostname()}, ${availableParallelism()} CPUs` }
  }
}

interface Place {
  readonly device: string
  readonly machine: string
}

function paceOf(found: unknown, { device, machine }: Place): DiskPace | undefined {
  if (typeof found !== 'object' || found === null) return undefined
  const kept = found as Partial<Record<string, unknown>>
  const isOurs = kept.version === VERSION && kept.device === device && kept.machine === machine
  const { depth, requestBytes } = kept
  return isOurs && isDepth(depth) && isRequestBytes(requestBytes) ? { depth, requestBytes } : undefined
}

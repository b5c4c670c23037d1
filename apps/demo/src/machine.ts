import { arch, cpus, platform, release, totalmem } from 'node:os'
import { loadBinding } from '@kvbm/native'

/** Where numbers were measured. */
export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly system: string
  readonly node: string
  /** `native` or `portable`. */
  readonly binding: string
}

/** This machine, and which core managers run on. */
export function describeMachine(): Machine {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${arch()} ${release().split('-')[0]}`,
    node: process.version,
    binding: loadBinding().describe().kind,
  }
}

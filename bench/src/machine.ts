import { arch, cpus, loadavg, platform, release, totalmem } from 'node:os'
import { loadBinding } from '@kvbm/native'

export interface Machine {
  readonly cpu: string
  readonly cores: number
  readonly memoryGiB: number
  readonly system: string
  readonly node: string
  readonly binding: string
  readonly sha256: string
  readonly crc32c: string
}

export function describeMachine(): Machine {
  const { kind, sha256, crc32c } = loadBinding().describe()
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${arch()} ${release().split('-')[0]}`,
    node: process.version,
    binding: kind,
    sha256,
    crc32c,
  }
}

/** What else ran when the bench began, as the average number of busy processes in the last minute. Idle is about 0. */
export function loadNow(): number {
  return loadavg()[0]!
}

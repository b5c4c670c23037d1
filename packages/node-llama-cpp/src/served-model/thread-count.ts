import { readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'

/**
 * Threads that an engine should use: its own count of physical cores, less where this process may use fewer. Two threads on one core, or
 * more threads than a container is given, wait for each other in spin loops and take many times as long as one.
 */
export function threadCount(physicalCores: number): number {
  return Math.max(1, Math.min(physicalCores, availableParallelism(), cgroupCores()))
}

/** What a Linux container is given of the machine's cores; node does not look at it. */
function cgroupCores(): number {
  try {
    const [quota, period] = readFileSync('/sys/fs/cgroup/cpu.max', 'utf8').trim().split(' ')
    return quota === 'max' ? Number.POSITIVE_INFINITY : Math.max(1, Math.floor(Number(quota) / Number(period)))
  } catch {
    return Number.POSITIVE_INFINITY
  }
}

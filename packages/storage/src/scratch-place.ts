import { randomUUID } from 'node:crypto'
import { accessSync, constants } from 'node:fs'
import { mkdtemp, rm, statfs } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** `f_type` of tmpfs and ramfs: file systems that are memory. */
const RAM_FILE_SYSTEMS: ReadonlySet<number> = new Set([0x01021994, 0x858458f6])
const RAM_DIRECTORY = '/dev/shm'
/** What stays free for others in a file system that is memory. */
const SPARE_BYTES = 16 * 2 ** 20

/** Where one scratch file is made, and what must be removed after it. */
export interface ScratchPlace {
  readonly path: string
  readonly directory: string
  /** The file is unlinked at once and found again through its descriptor: nothing is left behind however the process ends. */
  readonly anonymous: boolean
  remove(): Promise<void>
}

/** A memory-backed directory with room for `sizeBytes` where there is one, else the directory for temporary files. */
export async function scratchDirectory(sizeBytes: number): Promise<string> {
  return (await isRoomyMemory(RAM_DIRECTORY, sizeBytes)) ? RAM_DIRECTORY : tmpdir()
}

/** A new name in `directory`; where files cannot be found again through descriptors, in a private directory of its own. */
export async function scratchPlace(directory: string): Promise<ScratchPlace> {
  const name = `kvbm-${randomUUID()}`
  if (findsDescriptors()) return { path: join(directory, name), directory, anonymous: true, remove: async () => {} }
  const own = await mkdtemp(join(directory, 'kvbm-'))
  const remove = (): Promise<void> => rm(own, { recursive: true, force: true })
  return { path: join(own, name), directory, anonymous: false, remove }
}

/** Bytes that can still be written into the file system of `directory`. */
export async function roomIn(directory: string): Promise<number> {
  const { bavail, bsize } = await statfs(directory)
  return Math.max(0, bavail * bsize - SPARE_BYTES)
}

/** Where the process finds its open file `descriptor` by a path. */
export function descriptorPath(descriptor: number): string {
  return `/proc/self/fd/${descriptor}`
}

/** Whether files there are memory. */
export async function isMemory(directory: string): Promise<boolean> {
  return RAM_FILE_SYSTEMS.has((await statfs(directory)).type)
}

async function isRoomyMemory(directory: string, sizeBytes: number): Promise<boolean> {
  try {
    accessSync(directory, constants.W_OK)
    return (await isMemory(directory)) && (await roomIn(directory)) >= sizeBytes
  } catch {
    return false
  }
}

function findsDescriptors(): boolean {
  if (process.platform !== 'linux') return false
  try {
    accessSync('/proc/self/fd', constants.R_OK)
    return true
  } catch {
    return false
  }
}

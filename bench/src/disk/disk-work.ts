/** What one round of a disk subject does, whoever does it. */
export interface DiskWork {
  readonly blockBytes: number
  readonly access: 'overwrite' | 'first-write' | 'read'
  /** Of the file; a file for first writes is as long as one round. */
  readonly fileBytes: number
  /** Moved in one round. */
  readonly roundBytes: number
}

const MIB = 2 ** 20

export const STATE_OF_FILE = {
  overwrite: 'over bytes written before',
  'first-write': 'into preallocated space, for the first time',
  read: 'of bytes written before',
} as const

export function wordsFor({ blockBytes, access, fileBytes, roundBytes }: DiskWork): string {
  const verb = access === 'read' ? 'read' : 'written'
  const size = access === 'first-write' ? roundBytes : fileBytes
  const block = blockBytes >= MIB ? `${blockBytes / MIB} MiB` : `${blockBytes / 1024} KiB`
  return `${roundBytes / MIB} MiB ${verb} ${STATE_OF_FILE[access]}, blocks of ${block} in random order over ${size / MIB} MiB, past the page cache`
}

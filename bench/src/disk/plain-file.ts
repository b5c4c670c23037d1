import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs'
import type { Contender } from '../harness.js'
import type { DiskWork } from './disk-work.js'

const CHUNK_BYTES = 2 ** 20

/**
 * A file written or read from begin to end, a mebibyte at a time: what is compared with where there is no `fio`. `memory` is
 * aligned to a page, which no buffer of plain JavaScript is.
 */
export function plainFile(path: string, { access, roundBytes }: DiskWork, memory: Uint8Array): Contender {
  const chunk = memory.subarray(0, CHUNK_BYTES)
  const file = openDirect(path)
  const write = (at: number): unknown => writeSync(file, chunk, 0, CHUNK_BYTES, at)
  const read = (at: number): unknown => readSync(file, chunk, 0, CHUNK_BYTES, at)
  const all = (move: (at: number) => unknown): void => {
    for (let at = 0; at < roundBytes; at += CHUNK_BYTES) move(at)
  }
  all(write)
  return {
    name: 'one plain file from begin to end, one request at a time',
    run: () => {
      all(access === 'read' ? read : write)
      return roundBytes
    },
    close: () => closeSync(file),
  }
}

/** Past the page cache where the system can do that, so that the page cache is not measured. */
function openDirect(path: string): number {
  const flags = constants.O_RDWR | constants.O_CREAT
  try {
    return openSync(path, flags | (constants.O_DIRECT ?? 0), 0o600)
  } catch {
    return openSync(path, flags, 0o600)
  }
}

import { open } from 'node:fs/promises'
import type { HandOver } from '../engine-driver.js'

/** Writes into memory, or through the path as an engine would. */
export async function writeHandOver({ storage, path }: HandOver, offset: number, bytes: Uint8Array): Promise<void> {
  if (path === undefined) {
    storage.commit()
    storage.bytes(offset, bytes.length)!.set(bytes)
    return
  }
  const file = await open(path, 'r+')
  try {
    await file.write(bytes, 0, bytes.length, offset)
  } finally {
    await file.close()
  }
}

/** Reads from memory, or through the path as an engine would. */
export async function readHandOver({ storage, path }: HandOver, offset: number, length: number): Promise<Uint8Array> {
  if (path === undefined) return storage.bytes(offset, length)!.slice()
  const file = await open(path, 'r')
  try {
    const bytes = new Uint8Array(length)
    const { bytesRead } = await file.read(bytes, 0, length, offset)
    return bytes.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}

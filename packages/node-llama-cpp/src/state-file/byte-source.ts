import { readSync } from 'node:fs'

/** Bytes that are read where needed. A read past the end, or of bytes that went away, returns fewer. */
export interface ByteSource {
  readonly sizeBytes: number
  read(offset: number, length: number): Uint8Array
}

/** A source over memory; reads are views. */
export function memorySource(bytes: Uint8Array): ByteSource {
  return { sizeBytes: bytes.length, read: (offset, length) => bytes.subarray(offset, offset + length) }
}

/** A source over an open file. Throws what `fs.readSync` throws. */
export function fileSource(descriptor: number, sizeBytes: number): ByteSource {
  return {
    sizeBytes,
    read(offset, length) {
      const into = new Uint8Array(length)
      let done = 0
      while (done < length) {
        const got = readSync(descriptor, into, done, length - done, offset + done)
        if (got === 0) break
        done += got
      }
      return into.subarray(0, done)
    },
  }
}

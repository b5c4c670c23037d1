import { createHash } from 'node:crypto'

/** The formula of docs/hashing.md, block after block, as hex. Shares no code with the package. */
export function chainByDefinition(tokens: ArrayLike<number>, pageSize: number, salt: Uint8Array): string[] {
  let parent = rootByDefinition(pageSize, salt)
  const hashes: string[] = []
  for (let at = 0; at + pageSize <= tokens.length; at += pageSize) {
    const block = Buffer.alloc(pageSize * 4)
    for (let index = 0; index < pageSize; index++) block.writeUInt32LE(tokens[at + index]!, index * 4)
    parent = first16(Buffer.concat([parent, block]))
    hashes.push(parent.toString('hex'))
  }
  return hashes
}

export function rootByDefinition(pageSize: number, salt: Uint8Array): Buffer {
  const [saltLength, page] = [Buffer.alloc(4), Buffer.alloc(4)]
  saltLength.writeUInt32LE(salt.length)
  page.writeUInt32LE(pageSize)
  return first16(Buffer.concat([Buffer.from('kvbm1'), saltLength, salt, page]))
}

function first16(bytes: Buffer): Buffer {
  return createHash('sha256').update(bytes).digest().subarray(0, 16)
}

export function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index)
}

export function hexOfWords(words: Uint32Array): string {
  return Buffer.from(words.buffer, words.byteOffset, words.byteLength).toString('hex')
}

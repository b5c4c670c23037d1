import { createHash } from 'node:crypto'
import { hashTokens } from '@kvbm/tokens'
import type { Subject } from './harness.js'

const PAGE_SIZE = 16
const TOKENS = 128 * 1024

/** The same chain with one `createHash` per block. */
function hashWithNodeCrypto(tokens: Uint32Array): number {
  const bytes = new Uint8Array(tokens.buffer)
  const blockBytes = PAGE_SIZE * 4
  let parent: Uint8Array = new Uint8Array(16)
  const blocks = tokens.length / PAGE_SIZE
  for (let block = 0; block < blocks; block++) {
    const digest = createHash('sha256')
      .update(parent)
      .update(bytes.subarray(block * blockBytes, (block + 1) * blockBytes))
      .digest()
    parent = digest.subarray(0, 16)
  }
  return blocks
}

export function hashing(): Subject {
  const tokens = Uint32Array.from({ length: TOKENS }, (_, index) => (index * 2_654_435_761) % 128_256)
  return {
    name: 'hashing',
    work: `the chained SHA-256 names of a prompt of ${TOKENS / 1024} K tokens, ${PAGE_SIZE} tokens a block`,
    unit: 'blocks/s',
    contenders: [
      { name: '@kvbm/tokens hashTokens', run: () => hashTokens(tokens, { pageSize: PAGE_SIZE, salt: '' }).count },
      { name: 'node:crypto createHash per block', run: () => hashWithNodeCrypto(tokens) },
    ],
  }
}

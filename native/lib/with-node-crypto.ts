import type { Binding } from './binding.js'
import { hashChain, sha256Words } from './portable/chained-sha256.js'

/** The native core where Node's OpenSSL gives it no SHA-256: everything native but the names of blocks. */
export function withNodeCrypto(native: Binding): Binding {
  return Object.assign(Object.create(native) as Binding, { sha256: sha256Words, hashBlocks: hashChain })
}

import { readFile } from 'node:fs/promises'

const TOKEN_MAX = 2 ** 32 - 1

/** Numbers of tokens from a file: JSON, or separated by white space or commas. */
export async function readTokens(file: string): Promise<Uint32Array> {
  const words = (await readFile(file, 'utf8')).replace(/^\s*\[|\]\s*$/g, '').split(/[\s,]+/)
  const tokens = words.filter((word) => word !== '').map((word) => tokenOf(word, file))
  if (tokens.length === 0) throw new Error(`There are no tokens in ${file}.`)
  return Uint32Array.from(tokens)
}

function tokenOf(word: string, file: string): number {
  const token = /^\d{1,10}$/.test(word) ? Number(word) : Number.NaN
  if (token <= TOKEN_MAX) return token
  throw new Error(`${file}: expected numbers of tokens from 0 to ${TOKEN_MAX}, got '${word.slice(0, 40)}'.`)
}

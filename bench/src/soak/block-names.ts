import { createHash } from 'node:crypto'

/** A name for each full block of a prompt: by all tokens up to its end, made without the code that is being tested. */
export function blockNames(tokens: Uint32Array, pageSize: number): string[] {
  const names: string[] = []
  let before = ''
  for (let end = pageSize; end <= tokens.length; end += pageSize) {
    before = createHash('sha256')
      .update(before)
      .update(tokens.slice(end - pageSize, end))
      .digest('hex')
      .slice(0, 32)
    names.push(before)
  }
  return names
}

import { invalidArgument, WORDS_PER_HASH } from '@kvbm/core'

/** What a commit names: parallel columns; hashes and parents have 4 words a row, positions count blocks. */
export interface CommitRows {
  readonly slots: Uint32Array
  readonly hashes: Uint32Array
  readonly parents: Uint32Array
  readonly positions: Uint32Array
  readonly checksums: Uint32Array
}

/** Throws `RangeError` unless the columns are equally long. */
export function checkRows(rows: CommitRows): void {
  const count = rows.slots.length
  for (const name of ['positions', 'checksums'] as const) checkLength(name, rows[name].length, count)
  for (const name of ['hashes', 'parents'] as const) checkLength(name, rows[name].length, count * WORDS_PER_HASH)
}

function checkLength(name: string, actual: number, expected: number): void {
  if (actual !== expected) throw invalidArgument(`rows.${name}.length`, `${expected}`, actual)
}

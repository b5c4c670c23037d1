import type { TransposedTable } from '@kvbm/core'

/** The bytes of a table with rows and columns exchanged. */
export function transposed(table: Uint8Array, { rows, columns, cellBytes }: TransposedTable): Uint8Array {
  const from = Buffer.from(table.buffer, table.byteOffset, table.byteLength)
  const into = Buffer.allocUnsafe(table.byteLength)
  for (let row = 0, at = 0; row < rows; row++)
    for (let column = 0; column < columns; column++, at += cellBytes)
      from.copy(into, (column * rows + row) * cellBytes, at, at + cellBytes)
  return into
}

import { StorageIoError } from '@kvbm/core'
import type { Binding, SlotRows } from '@kvbm/native'
import { boundMethods } from './bound-methods.js'

/**
 * A binding whose process dies at its `lastWrite`-th change of a file: that one is done by half, everything later not
 * at all. What the kernel does for the dead still works: files are closed, locks given back.
 */
export class DyingBinding {
  readonly binding: Binding
  readonly #lastWrite: number
  #writes = 0

  constructor(inner: Binding, lastWrite: number) {
    this.#lastWrite = lastWrite
    this.binding = {
      ...boundMethods(inner),
      writeFile: (file, offset, bytes) =>
        this.#change(
          () => inner.writeFile(file, offset, bytes),
          () => inner.writeFile(file, offset, bytes.subarray(0, bytes.length >> 1)),
        ),
      writeSlots: (file, table, rows) =>
        this.#change(
          () => inner.writeSlots(file, table, rows),
          () => inner.writeSlots(file, table, firstHalf(rows)),
        ),
      clearSlots: (file, table, slots) =>
        this.#change(
          () => inner.clearSlots(file, table, slots),
          () => inner.clearSlots(file, table, slots.subarray(0, slots.length >> 1)),
        ),
      reserveFile: (file, offset, length) => this.#change(() => inner.reserveFile(file, offset, length)),
      submit: (engine, ticket, job) => this.#change(() => inner.submit(engine, ticket, job)),
    }
  }

  get dead(): boolean {
    return this.#writes >= this.#lastWrite
  }

  async #change<T>(whole: () => Promise<T>, half?: () => Promise<unknown>): Promise<T> {
    this.#writes += 1
    if (this.#writes < this.#lastWrite) return whole()
    if (this.#writes === this.#lastWrite) await half?.()
    throw new StorageIoError('the process is dead')
  }
}

function firstHalf(rows: SlotRows): SlotRows {
  const count = rows.slots.length >> 1
  return {
    slots: rows.slots.subarray(0, count),
    generations: rows.generations.subarray(0, count),
    hashes: rows.hashes.subarray(0, count * 4),
    parents: rows.parents.subarray(0, count * 4),
    positions: rows.positions.subarray(0, count),
    lengths: rows.lengths.subarray(0, count),
    checksums: rows.checksums.subarray(0, count),
  }
}

import type { Binding } from '../../binding.js'

const RECORD_BYTES = 64

/** Records of a slot table in a file, written wrongly. */
export class RecordWriter {
  readonly #binding: Binding
  readonly #file: number
  readonly #tableOffset: number

  constructor(binding: Binding, file: number, tableOffset: number) {
    this.#binding = binding
    this.#file = file
    this.#tableOffset = tableOffset
  }

  /** Writes the first `bytes` bytes of the records: whole ones, then a torn one. */
  async writeShort(
    slots: Uint32Array,
    write: (from: number, to: number) => Promise<void>,
    bytes: number,
  ): Promise<void> {
    const whole = Math.min(slots.length, Math.floor(bytes / RECORD_BYTES))
    await write(0, whole)
    if (whole === slots.length) return
    const before = await this.#read(slots[whole]!)
    await write(whole, whole + 1)
    const cut = bytes % RECORD_BYTES
    await this.#binding.writeFile(this.#file, this.#offsetOf(slots[whole]!) + cut, before.subarray(cut))
  }

  /** Inverts a bit of the table, counted from its beginning, if the file is that long. */
  async flip(bit: number): Promise<void> {
    const offset = this.#tableOffset + Math.floor(bit / 8)
    const byte = await this.#binding.readFile(this.#file, offset, 1)
    if (byte.length === 0) return
    byte[0]! ^= 1 << (bit % 8)
    await this.#binding.writeFile(this.#file, offset, byte)
  }

  /** The bit of the table that is bit `bit` of the records of these slots. */
  bitOf(slots: Uint32Array, bit: number): number {
    const row = Math.min(slots.length - 1, Math.floor(bit / 8 / RECORD_BYTES))
    return slots[row]! * RECORD_BYTES * 8 + (bit % (RECORD_BYTES * 8))
  }

  async #read(slot: number): Promise<Uint8Array> {
    const record = new Uint8Array(RECORD_BYTES)
    record.set(await this.#binding.readFile(this.#file, this.#offsetOf(slot), RECORD_BYTES))
    return record
  }

  #offsetOf(slot: number): number {
    return this.#tableOffset + slot * RECORD_BYTES
  }
}

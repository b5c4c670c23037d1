import { WORDS_PER_HASH } from '@kvbm/core'
import { type CommitRows, type NativeTransferRuntime, type SlotFile, wrapMemory } from '../../src/index.js'

export const FINGERPRINT = '{"dtype":"fp16","format":1,"model":"test-model"}'

/** The bytes that block `name` must have; every name gives others. */
export function blockOf(name: number, lengthBytes: number): Uint8Array {
  const bytes = new Uint8Array(lengthBytes)
  let state = (name + 1) * 2_654_435_761
  for (let index = 0; index < lengthBytes; index++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    bytes[index] = state >>> 24
  }
  return bytes
}

/** Rows whose hash is the block's name in its first word. */
export function rowsOf(slots: readonly number[], names: readonly number[], checksums: readonly number[]): CommitRows {
  const hashes = new Uint32Array(slots.length * WORDS_PER_HASH)
  const parents = new Uint32Array(slots.length * WORDS_PER_HASH)
  names.forEach((name, row) => {
    hashes.set([name, 1, 2, 3], row * WORDS_PER_HASH)
    parents.set([name, 4, 5, 6], row * WORDS_PER_HASH)
  })
  return {
    slots: Uint32Array.from(slots),
    hashes,
    parents,
    positions: Uint32Array.from(names, (name) => name + 10),
    checksums: Uint32Array.from(checksums),
  }
}

/** Steps 1 and 2 of the protocol: invalidates the slots and writes the blocks' bytes; gives the rows to commit. */
export async function writeBlocks(
  file: SlotFile,
  runtime: NativeTransferRuntime,
  slots: readonly number[],
  names: readonly number[],
): Promise<CommitRows> {
  const ids = Uint32Array.from(slots)
  await file.reserve(ids)
  await file.invalidate(ids)
  const blocks = names.map((name) => blockOf(name, file.slotBytes))
  await Promise.all(blocks.map((block, row) => writeSlot(file, runtime, slots[row]!, block)))
  return rowsOf(
    slots,
    names,
    blocks.map((block) => runtime.binding.crc32c(block)),
  )
}

/** The whole protocol. */
export async function storeBlocks(
  file: SlotFile,
  runtime: NativeTransferRuntime,
  slots: readonly number[],
  names: readonly number[] = slots,
): Promise<void> {
  await file.commit(await writeBlocks(file, runtime, slots, names))
}

export async function writeSlot(
  file: SlotFile,
  runtime: NativeTransferRuntime,
  slot: number,
  block: Uint8Array,
): Promise<void> {
  const source = wrapMemory(block, { runtime })
  const offset = slot * file.slotStride
  try {
    await runtime.submit({ runs: Float64Array.of(source.regionId, 0, file.storage.regionId, offset, block.length) })
  } finally {
    await source.close()
  }
}

export async function readSlot(file: SlotFile, runtime: NativeTransferRuntime, slot: number): Promise<Uint8Array> {
  const block = new Uint8Array(file.slotBytes)
  const target = wrapMemory(block, { runtime })
  const offset = slot * file.slotStride
  try {
    await runtime.submit({ runs: Float64Array.of(file.storage.regionId, offset, target.regionId, 0, block.length) })
  } finally {
    await target.close()
  }
  return block
}

/** Block name → slot of everything that opening found. */
export function recoveredNames(file: SlotFile): Map<number, number> {
  const { hashes, slots } = file.recovered
  return new Map(Array.from(slots, (slot) => [hashes[slot * WORDS_PER_HASH]!, slot]))
}

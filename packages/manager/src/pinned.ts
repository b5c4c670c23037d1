import type { ImmutableBlocks, MutableBlocks } from '@kvbm/pool'

/** `pinned` for blocks that a copy writes to: nobody names them or begins to write them before it is disposed of. */
export function filled(blocks: MutableBlocks): Disposable {
  return { [Symbol.dispose]: blocks.fill() }
}

/** Keeps blocks from being handed out again until disposed of, also when their handles are released meanwhile. */
export function pinned(...runs: readonly (ImmutableBlocks | MutableBlocks)[]): Disposable {
  const pins: Array<() => void> = []
  const unpin = (): void => {
    for (const end of pins.splice(0)) end()
  }
  try {
    for (const run of runs) pins.push(run.pin())
  } catch (error) {
    unpin()
    throw error
  }
  return { [Symbol.dispose]: unpin }
}

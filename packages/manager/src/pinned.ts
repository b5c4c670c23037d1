import type { ImmutableBlocks, MutableBlocks } from '@kvbm/pool'

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

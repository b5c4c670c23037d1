import type { Storage } from '@kvbm/core'

/** Throws `RangeError` unless there are exactly as many storages as sizes, each large enough. */
export function expectStorages(layout: string, storages: readonly Storage[], neededBytes: readonly number[]): void {
  if (storages.length !== neededBytes.length) {
    throw new RangeError(
      `storages: a ${layout} layout needs exactly ${neededBytes.length}, got ${storages.length}. layoutStorageBytes() gives the sizes.`,
    )
  }
  for (const [index, needed] of neededBytes.entries()) {
    const { sizeBytes } = storages[index]!
    if (sizeBytes < needed)
      throw new RangeError(
        `storages[${index}]: ${sizeBytes} bytes are too few, the layout needs ${needed} (alignment included). Allocate more or lower numBlocks.`,
      )
  }
}

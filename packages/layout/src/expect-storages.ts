import type { Storage } from '@kvbm/core'

/** Throws `RangeError` unless there are exactly as many storages as sizes, each large enough and none given twice. */
export function expectStorages(layout: string, storages: readonly Storage[], neededBytes: readonly number[]): void {
  if (storages.length !== neededBytes.length) {
    throw new RangeError(
      `storages: a ${layout} layout needs exactly ${neededBytes.length}, got ${storages.length}. layoutStorageBytes() gives the sizes.`,
    )
  }
  const seen = new Map<number, number>()
  for (const [index, needed] of neededBytes.entries()) {
    const { sizeBytes, regionId } = storages[index]!
    if (sizeBytes < needed)
      throw new RangeError(
        `storages[${index}]: ${sizeBytes} bytes are too few, the layout needs ${needed} (alignment included). Allocate more or lower numBlocks.`,
      )
    if (seen.has(regionId))
      throw new RangeError(
        `storages[${index}]: is the same memory as storages[${seen.get(regionId)}] (region ${regionId}), so blocks would overlap. Give each its own.`,
      )
    seen.set(regionId, index)
  }
}

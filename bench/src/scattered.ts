/** 0 to count − 1, shuffled (Fisher–Yates) by a fixed multiplier: the same order each time for one seed. */
export function scattered(count: number, seed = 7): Uint32Array {
  const ids = Uint32Array.from({ length: count }, (_, index) => index)
  let state = seed
  for (let index = count - 1; index > 0; index--) {
    state = (state * 48_271) % 2_147_483_647
    const other = state % (index + 1)
    const held = ids[index]!
    ids[index] = ids[other]!
    ids[other] = held
  }
  return ids
}

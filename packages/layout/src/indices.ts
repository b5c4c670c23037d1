/** 0, 1, 2 and so on. */
export function indices(count: number): Uint32Array {
  const all = new Uint32Array(count)
  for (let index = 0; index < count; index++) all[index] = index
  return all
}

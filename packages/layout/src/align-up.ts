/** The smallest multiple of `alignment` (a power of two) that is not below `value`. */
export function alignUp(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment
}

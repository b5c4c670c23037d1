/** Largest alignment of blocks: a huge page of common machines. More would be padding, made real along with the blocks. */
export const ALIGNMENT_MAX = 2 ** 21

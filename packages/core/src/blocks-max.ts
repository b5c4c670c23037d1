/** Blocks of one tier at most: a pool's index of ids takes two slots per block, in a typed array of at most 2²⁸. */
export const BLOCKS_MAX = 2 ** 27

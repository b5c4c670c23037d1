import type { BlockHashes } from '@kvbm/core'
import type { Manager } from '@kvbm/manager'

/** Prompts are the paths of a binary tree, so that they share prefixes. */
export const DEPTH = 5
export const LEAVES = 2 ** DEPTH

/** Every prompt and every block that a history knows, by name. */
export class Prompts {
  readonly all: readonly BlockHashes[]
  /** Each block once: its name in hex, and its hash alone. */
  readonly blocks: ReadonlyMap<string, BlockHashes>

  constructor(manager: Manager) {
    this.all = Array.from({ length: LEAVES }, (_, leaf) => manager.hash(tokensOf(leaf, manager.config.model.pageSize)))
    this.blocks = new Map(this.all.flatMap((hashes) => hashes.toHexArray().map((name, at) => [name, one(hashes, at)])))
  }

  /** Names of the first `count` blocks of a prompt. */
  of(leaf: number, count: number): BlockHashes {
    return this.all[leaf]!.subarray(0, count)
  }
}

function tokensOf(leaf: number, pageSize: number): number[] {
  return Array.from({ length: DEPTH * pageSize }, (_, index) => {
    const depth = Math.floor(index / pageSize)
    return (leaf >> (DEPTH - 1 - depth)) + 2 * LEAVES * depth
  })
}

function one(hashes: BlockHashes, index: number): BlockHashes {
  return hashes.subarray(index, index + 1)
}

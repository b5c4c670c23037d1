/** A type that llama.cpp can keep KV rows in: `blockElements` elements are stored in `blockBytes` bytes. */
export interface GgmlType {
  readonly id: number
  readonly name: string
  readonly blockElements: number
  readonly blockBytes: number
}

const TYPES: readonly GgmlType[] = [
  { id: 0, name: 'F32', blockElements: 1, blockBytes: 4 },
  { id: 1, name: 'F16', blockElements: 1, blockBytes: 2 },
  { id: 2, name: 'Q4_0', blockElements: 32, blockBytes: 18 },
  { id: 3, name: 'Q4_1', blockElements: 32, blockBytes: 20 },
  { id: 6, name: 'Q5_0', blockElements: 32, blockBytes: 22 },
  { id: 7, name: 'Q5_1', blockElements: 32, blockBytes: 24 },
  { id: 8, name: 'Q8_0', blockElements: 32, blockBytes: 34 },
  { id: 20, name: 'IQ4_NL', blockElements: 32, blockBytes: 18 },
  { id: 30, name: 'BF16', blockElements: 1, blockBytes: 2 },
]

const BY_ID = new Map(TYPES.map((type) => [type.id, type]))

/** The type with this number, or undefined if no KV cache uses it. */
export function ggmlType(id: number): GgmlType | undefined {
  return BY_ID.get(id)
}

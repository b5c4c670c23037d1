/** How an engine cuts an evaluation into batches, and below how many rows it computes a batch differently. */
export interface ExactRule {
  readonly pageSize: number
  /** Rows of a batch from which on results do not depend on its size; 0 where they never do. */
  readonly minRows: number
  /** Rows of a full batch. A cold run cuts at its multiples. */
  readonly batchTokens: number
}

/** Rows of the batch of a cold run that holds token `index` of a prompt of `length` tokens. */
function coldRows(index: number, length: number, batchTokens: number): number {
  const begin = index - (index % batchTokens)
  return Math.min(batchTokens, length - begin)
}

/** Whether going on at token `from`, cutting where a cold run cuts, computes every row as the cold run does. */
function isExactFrom(from: number, length: number, { minRows, batchTokens }: ExactRule): boolean {
  const cold = coldRows(from, length, batchTokens)
  const rows = cold - (from % batchTokens)
  return cold >= minRows === rows >= minRows
}

/** Tokens of a prompt that a cold run, or one that goes on from an exact prefix, computes in batches of at least `minRows` rows. */
export function exactCaptureEnd(length: number, { minRows, batchTokens }: ExactRule): number {
  const last = length % batchTokens
  return last > 0 && last < minRows ? length - last : length
}

/**
 * The longest prefix of `cachedTokens`, in whole blocks, after which a prompt of `length` tokens can be evaluated with the bits of a
 * cold run. What is cached was computed in large batches, so it must not reach into a small last batch of the cold run; and the rows
 * evaluated first must be as many, on the side of `minRows`, as in the cold run. With 64 rows and 16 tokens a block it gives back at
 * most four blocks.
 */
export function exactPrefix(cachedTokens: number, length: number, rule: ExactRule): number {
  const most = Math.min(cachedTokens, exactCaptureEnd(length, rule))
  let from = most - (most % rule.pageSize)
  while (from > 0 && !isExactFrom(from, length, rule)) from -= rule.pageSize
  return Math.max(0, from)
}

/** Where the evaluation of tokens `from … length` must end a batch, `length` last: the multiples of a full batch between them. */
export function coldCuts(from: number, length: number, batchTokens: number): number[] {
  const cuts: number[] = []
  for (let at = from - (from % batchTokens) + batchTokens; at < length; at += batchTokens) cuts.push(at)
  return from < length ? [...cuts, length] : cuts
}

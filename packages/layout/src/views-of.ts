import type { Storage } from '@kvbm/core'

/**
 * The fewest views that show a run: large memory is shown through windows, and a run may cross the end of one. Undefined where
 * the CPU cannot address it.
 */
export function viewsOf(storage: Storage, offset: number, length: number): Uint8Array[] | undefined {
  const views: Uint8Array[] = []
  for (let shown = 0; shown < length; ) {
    const view = longestView(storage, offset + shown, length - shown)
    if (view === undefined) return undefined
    views.push(view)
    shown += view.length
  }
  return views
}

/** A storage says only whether it can show a run, so the longest is found by halving; mostly the first question answers. */
function longestView(storage: Storage, offset: number, length: number): Uint8Array | undefined {
  const whole = storage.bytes(offset, length)
  if (whole !== undefined) return whole
  let best: Uint8Array | undefined
  for (let [shown, hidden] = [0, length]; hidden - shown > 1; ) {
    const half = Math.floor((shown + hidden) / 2)
    const view = storage.bytes(offset, half)
    if (view === undefined) hidden = half
    else [best, shown] = [view, half]
  }
  return best
}

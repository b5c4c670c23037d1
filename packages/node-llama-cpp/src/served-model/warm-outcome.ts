import type { CaptureReport, WarmReport } from '@kvbm/connector'

/** What a warming says of its capture; undefined: it has not run yet. */
export function warmOutcome(report: CaptureReport | undefined): Pick<WarmReport, 'captured' | 'reason'> {
  if (report === undefined) return { captured: false, reason: 'pending' }
  const { state, reason = 'declined' } = report
  // Nothing new: all of it was cached before.
  const captured = state === 'stored' || reason === 'nothing-new'
  return { captured, reason: captured ? '' : reason }
}

import type { DeclineReason } from '@kvbm/connector'
import type { StateRefusal } from '../state-file/state-file.js'

/** What a state file that cannot be cut says of the context: that it never can, or (`moved`) that the sequence is not as it was. */
const VERDICTS: Readonly<Record<StateRefusal, DeclineReason | 'moved'>> = {
  truncated: 'moved',
  empty: 'moved',
  holes: 'moved',
  'cells-missing': 'moved',
  'duplicate-positions': 'moved',
  'too-large': 'moved',
  'v-transposed': 'v-transposed',
  'extra-cell-records': 'multimodal',
  'unequal-layers': 'unequal-layers',
  'trailing-bytes': 'unknown-format',
  'foreign-magic': 'unknown-format',
  'other-version': 'unknown-format',
  'several-streams': 'unknown-format',
  'unknown-type': 'unknown-format',
  malformed: 'unknown-format',
}

/** The verdict on a context whose sequence gave such a file. */
export function verdictOn(refusal: StateRefusal): DeclineReason | 'moved' {
  return VERDICTS[refusal]
}

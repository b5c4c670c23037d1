import { invalidArgument } from '@kvbm/core'

export type NativeChoice = 'auto' | 'required' | 'portable'

/** What `KVBM_NATIVE` says. */
export function nativeChoice(text: string | undefined): NativeChoice {
  if (!text) return 'auto'
  if (text === 'auto' || text === 'required' || text === 'portable') return text
  throw invalidArgument('KVBM_NATIVE', 'auto, required or portable', text)
}

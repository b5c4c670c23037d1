import { invalidArgument } from '@kvbm/core'

/** Which binding to take: the native core where there is one, the native core or an error, or the portable twin. */
export type NativeChoice = 'auto' | 'required' | 'portable'

/** What `KVBM_NATIVE` says. */
export function nativeChoice(text: string | undefined): NativeChoice {
  if (!text) return 'auto'
  if (text === 'auto' || text === 'required' || text === 'portable') return text
  throw invalidArgument('KVBM_NATIVE', 'auto, required or portable', text)
}

import type { TransferAgent } from '@kvbm/core'

/** Whether remote transfer is on, and through which agent. */
export type NixlOptions =
  | { readonly mode: 'enabled'; readonly required?: boolean | undefined }
  | { readonly mode: 'with-agent'; readonly agent: TransferAgent; readonly required?: boolean | undefined }
  | { readonly mode: 'disabled' }

/** Constants whose value is their plain form. */
export const NixlOptions = Object.freeze({
  /** Makes an agent where NIXL is found. */
  Enabled: Object.freeze({ mode: 'enabled' }),
  /** Uses the given agent; the caller closes it. */
  EnabledWithAgent(agent: TransferAgent): { readonly mode: 'with-agent'; readonly agent: TransferAgent } {
    return Object.freeze({ mode: 'with-agent', agent })
  },
  Disabled: Object.freeze({ mode: 'disabled' }),
} as const)

/** The choice, complete. */
export interface ResolvedNixl {
  readonly mode: 'enabled' | 'with-agent' | 'disabled'
  /** Present with mode `with-agent`. */
  readonly agent?: TransferAgent
  /** A manager without NIXL is an error. Default false. */
  readonly required: boolean
  /** The caller asked for it; if not, its absence is not worth a message. */
  readonly explicit: boolean
}

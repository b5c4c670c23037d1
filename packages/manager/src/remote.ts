import type { ResolvedConfig } from '@kvbm/config'
import { type Logger, NixlUnavailableError } from '@kvbm/core'

/** What became of remote transfer. */
export interface RemoteStatus {
  readonly state: 'ok' | 'off'
  readonly reason: string
  readonly agent?: string
}

/**
 * Remote transfer is wished for by default but never needed: silent when nobody asked, one report after `enableNixl()`, an
 * error when it is required. A given agent stays its giver's to close.
 */
export async function openRemote({ nixl, logger }: ResolvedConfig['runtime']): Promise<RemoteStatus> {
  if (nixl.mode === 'disabled') return { state: 'off', reason: 'disabled in the configuration' }
  if (nixl.mode === 'with-agent' && nixl.agent !== undefined) return { state: 'ok', reason: '', agent: nixl.agent.name }
  const reason = await whyUnavailable()
  if (nixl.required === true)
    throw new NixlUnavailableError(`NIXL is required but ${reason} Install it, or drop { required: true }.`)
  if (nixl.explicit) report(logger, reason)
  return { state: 'off', reason }
}

async function whyUnavailable(): Promise<string> {
  try {
    const { createAgent } = await import('@kvbm/nixl')
    await createAgent('probe')
    return 'not used.'
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND')
      return 'the package @kvbm/nixl is not installed.'
    return error instanceof Error ? error.message : String(error)
  }
}

function report(logger: Logger, reason: string): void {
  logger.warn(`NIXL was asked for and is off: ${reason} Everything on this machine works without it.`)
}

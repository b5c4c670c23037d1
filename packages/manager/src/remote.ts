import type { ResolvedConfig } from '@kvbm/config'
import { type DisposeStack, type Logger, NixlUnavailableError, type TransferAgent } from '@kvbm/core'

/** What became of remote transfer. */
export interface RemoteStatus {
  readonly state: 'ok' | 'off'
  /** Empty while the state is ok. */
  readonly reason: string
  /** Name of the agent in use. */
  readonly agent?: string
}

/**
 * Remote transfer is wished for by default but never needed: silent when nobody asked, one report after `enableNixl()`, an
 * error when it is required. A given agent stays its giver's to close.
 */
export async function openRemote(
  { nixl, workerId }: ResolvedConfig['runtime'],
  logger: Logger,
  owned: DisposeStack,
): Promise<RemoteStatus> {
  if (nixl.mode === 'disabled') return { state: 'off', reason: 'disabled in the configuration' }
  if (nixl.agent !== undefined) return { state: 'ok', reason: '', agent: nixl.agent.name }
  try {
    const agent = owned.use(await newAgent(`kvbm-worker-${workerId}`))
    return { state: 'ok', reason: '', agent: agent.name }
  } catch (error) {
    const reason = messageOf(error)
    if (nixl.required) throw new NixlUnavailableError(`NIXL is required and cannot be had. ${reason}`, { cause: error })
    if (nixl.explicit) report(logger, reason)
    return { state: 'off', reason }
  }
}

async function newAgent(name: string): Promise<TransferAgent> {
  const { createAgent } = await import('@kvbm/nixl').catch((cause: unknown) => {
    throw new NixlUnavailableError('The package @kvbm/nixl is not installed.', { cause })
  })
  return createAgent(name)
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

function report(logger: Logger, reason: string): void {
  logger.warn(`NIXL was asked for and is off; everything on this machine works without it. ${reason}`)
}

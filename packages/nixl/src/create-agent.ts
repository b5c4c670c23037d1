import { invalidArgument, NixlUnavailableError, type TransferAgent } from '@kvbm/core'
import { type ProbeOptions, type ProbeResult, probe } from './probe.js'

/**
 * Makes an agent for remote transfer. This version has no engine for it and always rejects with `NixlUnavailableError`
 * (`KVBM_NIXL_UNAVAILABLE`), whose message says whether the library is there. @experimental
 */
export async function createAgent(name: string, options?: ProbeOptions): Promise<TransferAgent> {
  if (typeof name !== 'string' || name === '') throw invalidArgument('name', 'a non-empty string', name)
  throw new NixlUnavailableError(unavailable(name, await probe(options)))
}

function unavailable(name: string, result: ProbeResult): string {
  const engine =
    'The engine that uses it comes in a later version; until then take NIXL out of the configuration (disableNixl()).'
  if (result.available === 'found') {
    return `No NIXL agent '${name}': the library is at ${result.path}, but this version cannot use it. ${engine}`
  }
  const tried = result.tried.map(({ where, reason }) => `  ${where}: ${reason}`).join('\n')
  return `No NIXL agent '${name}': its library was not found. Tried:\n${tried}\nTo name it, set NIXL_CAPI_LIBRARY to the file libnixl_capi.so. ${engine}`
}

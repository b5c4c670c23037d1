import { type Attempt, searchLibrary } from './library-search.js'

/** Where else to look. @experimental */
export interface ProbeOptions {
  /** File of NIXL's C library; looked at right after `NIXL_CAPI_LIBRARY`. */
  readonly path?: string | undefined
  /** Default `process.env`. */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined
}

/** What `probe` found. Plain JSON. @experimental */
export type ProbeResult =
  | { readonly available: 'found'; readonly path: string; readonly tried: readonly Attempt[] }
  | { readonly available: false; readonly path?: undefined; readonly tried: readonly Attempt[] }

const DEFAULT_PREFIX = '/opt/nvidia/nvda_nixl'

/**
 * Looks for NIXL's C library (`libnixl_capi.so`): `NIXL_CAPI_LIBRARY`, the option `path`, `NIXL_PREFIX`, the Python
 * environments `VIRTUAL_ENV` and `NIXL_PYTHON_SITE`, the default prefix, the loader's folders. `found` means that the
 * file exists; it is not opened. `tried` lists the places before it, each with its reason. Never rejects because
 * something is missing. @experimental
 */
export async function probe({ path, environment = process.env }: ProbeOptions = {}): Promise<ProbeResult> {
  const { platform, arch: architecture } = process
  const found = searchLibrary({ path, environment, platform, architecture, defaultPrefix: DEFAULT_PREFIX })
  if (found.path === undefined) return { available: false, tried: found.tried }
  return { available: 'found', path: found.path, tried: found.tried }
}

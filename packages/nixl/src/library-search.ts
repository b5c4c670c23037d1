import { readdirSync, realpathSync, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** A place where the library was looked for in vain. */
export interface Attempt {
  /** The variable, option or folder, with its value where it has one. */
  readonly where: string
  readonly reason: string
}

/** Everything that decides where the search looks. */
export interface SearchRequest {
  /** A file named by the caller. */
  readonly path: string | undefined
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly platform: string
  readonly architecture: string
  readonly defaultPrefix: string
}

export interface SearchResult {
  /** The file itself, links resolved: NIXL finds its own parts beside it. */
  readonly path: string | undefined
  readonly tried: readonly Attempt[]
}

const LIBRARY_NAMES = ['libnixl_capi.so.0', 'libnixl_capi.so']
const MULTIARCH: Readonly<Record<string, string>> = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' }

/** One place: files to look at, or the reason why there is nothing to look at. */
interface Place {
  readonly where: string
  readonly files: readonly string[]
  readonly otherwise: string
}

/** Looks in the documented order and stops at the first file that exists. Opens nothing. */
export function searchLibrary(request: SearchRequest): SearchResult {
  if (request.platform !== 'linux') {
    return {
      path: undefined,
      tried: [{ where: 'platform', reason: `NIXL runs on Linux, this is ${request.platform}` }],
    }
  }
  const tried: Attempt[] = []
  for (const { where, files, otherwise } of places(request)) {
    const path = files.find(isFile)
    if (path !== undefined) return { path: realpathSync(path), tried }
    tried.push({ where, reason: otherwise })
  }
  return { path: undefined, tried }
}

function places(request: SearchRequest): Place[] {
  const { environment, path, defaultPrefix } = request
  return [
    filePlace('NIXL_CAPI_LIBRARY', environment.NIXL_CAPI_LIBRARY),
    filePlace('path', path),
    environment.NIXL_PREFIX ? prefixPlace('NIXL_PREFIX', environment.NIXL_PREFIX, request) : unset('NIXL_PREFIX'),
    pythonPlace('VIRTUAL_ENV', environment.VIRTUAL_ENV, sitePackages),
    pythonPlace('NIXL_PYTHON_SITE', environment.NIXL_PYTHON_SITE, (site) => [site]),
    prefixPlace('default prefix', defaultPrefix, request),
    loaderPlace(request),
  ]
}

function unset(where: string): Place {
  return { where, files: [], otherwise: 'not set' }
}

function filePlace(name: string, file: string | undefined): Place {
  return file ? { where: `${name}=${file}`, files: [file], otherwise: 'no file there that can be read' } : unset(name)
}

function prefixPlace(name: string, prefix: string, { architecture }: SearchRequest): Place {
  const folders = ['lib', 'lib64', ...multiarch(architecture).map((folder) => join('lib', folder))]
  const otherwise = `no ${LIBRARY_NAMES.join(' or ')} in ${folders.join(', ')}`
  return { where: `${name}=${prefix}`, files: librariesIn(folders.map((folder) => join(prefix, folder))), otherwise }
}

/** The wheel keeps the library in a hidden folder beside the package: `.nixl_cu12.mesonpy.libs`. */
function pythonPlace(name: string, root: string | undefined, sites: (root: string) => string[]): Place {
  if (!root) return unset(name)
  const folders = sites(root).flatMap((site) => foldersLike(site, /^\.nixl.*\.mesonpy\.libs$/))
  const otherwise =
    folders.length === 0 ? 'no folder .nixl*.mesonpy.libs' : `no ${LIBRARY_NAMES.join(' or ')} in its wheel`
  return { where: `${name}=${root}`, files: librariesIn(folders), otherwise }
}

function sitePackages(environment: string): string[] {
  const lib = join(environment, 'lib')
  return foldersLike(lib, /^python3/).map((folder) => join(folder, 'site-packages'))
}

/** Where the loader would look for a bare name, as far as folders tell; its cache is not read. */
function loaderPlace({ environment, architecture }: SearchRequest): Place {
  const own = (environment.LD_LIBRARY_PATH ?? '').split(delimiter).filter((folder) => folder !== '')
  const usual = [
    '/usr/local/lib',
    ...multiarch(architecture).map((folder) => `/usr/lib/${folder}`),
    '/usr/lib64',
    '/usr/lib',
  ]
  const otherwise = 'neither in LD_LIBRARY_PATH nor in the usual library folders'
  return { where: LIBRARY_NAMES.join(', '), files: librariesIn([...own, ...usual]), otherwise }
}

function multiarch(architecture: string): string[] {
  const folder = MULTIARCH[architecture]
  return folder === undefined ? [] : [folder]
}

function librariesIn(folders: readonly string[]): string[] {
  return folders.flatMap((folder) => LIBRARY_NAMES.map((name) => join(folder, name)))
}

function foldersLike(folder: string, name: RegExp): string[] {
  try {
    return readdirSync(folder)
      .filter((entry) => name.test(entry))
      .sort()
      .map((entry) => join(folder, entry))
  } catch {
    return []
  }
}

function isFile(path: string): boolean {
  try {
    return statSync(path).isFile()
  } catch {
    return false
  }
}

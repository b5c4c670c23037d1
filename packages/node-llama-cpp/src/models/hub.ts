import { mkdir, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { DeadlineError } from '@kvbm/core'
import type { ModelDownloader } from 'node-llama-cpp'
import type { ResolveContext } from './resolve-options.js'
import { withPartialDirectory } from './write-atomically.js'

/** Where the hub has one file of a repository. */
export function hubFileUrl(
  { hubEndpoint }: ResolveContext,
  file: { readonly repository: string; readonly revision: string; readonly path: string },
): string {
  const path = file.path.split('/').map(encodeURIComponent).join('/')
  return `${hubEndpoint}${file.repository}/resolve/${encodeURIComponent(file.revision)}/${path}`
}

/** The hub names the files of quantizations only to a client that it knows to want them. */
const HEADERS = { 'User-Agent': 'llama-cpp' }

/**
 * Asks for the head of a file, or for something small. Rejects when nobody answers within the deadline, or with a status that is not
 * success.
 */
export async function askHub(url: string, context: ResolveContext, method: 'HEAD' | 'GET' = 'HEAD'): Promise<Response> {
  const deadline = AbortSignal.timeout(context.connectDeadlineMs)
  const signal = context.signal ? AbortSignal.any([context.signal, deadline]) : deadline
  // Redirects of a file lead to a store that does not repeat the hash.
  const redirect = method === 'HEAD' ? 'manual' : 'follow'
  const response = await fetch(url, { method, headers: HEADERS, redirect, signal }).catch((error: unknown) => {
    context.signal?.throwIfAborted()
    throw deadline.aborted ? new DeadlineError(`An answer of ${new URL(url).host}`, context.connectDeadlineMs) : error
  })
  if (response.status >= 400) throw new Error(`${new URL(url).host} answers ${response.status} ${response.statusText}`)
  return response
}

/** SHA-256 of the file whose head this is, where the hub says so. */
export function publishedHash({ headers }: Response): string | undefined {
  const etag = headers.get('x-linked-etag')?.replaceAll('"', '').toLowerCase()
  return etag && /^[0-9a-f]{64}$/.test(etag) ? etag : undefined
}

export interface HubDownload {
  /** URL or Hugging Face reference, as node-llama-cpp understands it. */
  readonly uri: string
  readonly label: string
  /** Where the file comes to lie. */
  readonly directory: string
  readonly fileName?: string | undefined
  /** Throws if the files must not be used; the one to load is the first of them. */
  readonly verify: (paths: readonly string[]) => Promise<void>
}

/**
 * Downloads a model with node-llama-cpp's downloader into a directory of its own, verifies it, and moves it to where it
 * belongs. Resolves with the path of the file to load. Nothing is left behind when it rejects.
 */
export async function downloadFromHub(download: HubDownload, context: ResolveContext): Promise<string> {
  return withPartialDirectory(context.directory, async (partial) => {
    const names = await fetchInto(partial, download, context)
    await download.verify(names.map((name) => join(partial, name)))
    await mkdir(download.directory, { recursive: true })
    // The file that is loaded, and that says the model is here, comes last.
    for (const name of names.toReversed()) await rename(join(partial, name), join(download.directory, name))
    return join(download.directory, names[0]!)
  })
}

/** Resolves with the names of the files, the one to load first. */
async function fetchInto(
  directory: string,
  { uri, label, fileName }: HubDownload,
  context: ResolveContext,
): Promise<string[]> {
  const { createModelDownloader } = await import('node-llama-cpp')
  return whileMoving(context, label, async (moved, signal) => {
    const downloader: ModelDownloader = await createModelDownloader({
      modelUri: uri,
      dirPath: directory,
      ...(fileName === undefined ? {} : { fileName }),
      endpoints: { huggingFace: context.hubEndpoint },
      onProgress({ downloadedSize, totalSize }) {
        moved()
        context.progress({ label, doneBytes: downloadedSize, totalBytes: totalSize })
      },
    })
    await downloader.download({ signal })
    return downloader.filesInfo.map((file) => file.fileName)
  })
}

/** Runs a download; ends the wait when it was aborted or nothing has moved for too long, whether or not the downloader notices. */
async function whileMoving<T>(
  { signal, stallDeadlineMs }: ResolveContext,
  label: string,
  download: (moved: () => void, signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const stop = new AbortController()
  const onAbort = () => stop.abort(signal?.reason)
  signal?.throwIfAborted()
  signal?.addEventListener('abort', onAbort)
  const stalled = () => stop.abort(new DeadlineError(`The next part of ${label}`, stallDeadlineMs))
  let timer = setTimeout(stalled, stallDeadlineMs)
  const moved = () => {
    clearTimeout(timer)
    timer = setTimeout(stalled, stallDeadlineMs)
  }
  const stopped = new Promise<never>((_, reject) =>
    stop.signal.addEventListener('abort', () => reject(stop.signal.reason)),
  )
  try {
    return await Promise.race([download(moved, stop.signal), stopped])
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
  }
}

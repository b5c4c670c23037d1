import { createHash } from 'node:crypto'
import { basename, join } from 'node:path'
import { downloadFromHub } from './hub.js'
import { sha256Of, sizeOf } from './pinned-model.js'
import { type PublishedFile, publishedFiles } from './published-files.js'
import { resolveFile } from './resolve-file.js'
import type { ResolveContext } from './resolve-options.js'

/** Where a URL or a Hugging Face reference was downloaded to before. */
export async function findDownloaded(reference: string, context: ResolveContext): Promise<string | undefined> {
  const { directory, fileName } = placeOf(reference, context)
  if (fileName !== undefined) {
    const path = join(directory, fileName)
    return (await sizeOf(path)) === undefined ? undefined : path
  }
  const { resolveModelFile } = await import('node-llama-cpp')
  const endpoints = { huggingFace: context.hubEndpoint }
  return resolveModelFile(reference, { directory: context.directory, download: false, cli: false, endpoints }).catch(
    () => undefined,
  )
}

/** Downloads it, sees that it is a model, and holds each file against its published hash. Resolves with the path of the one to load. */
export async function downloadNamed(reference: string, context: ResolveContext): Promise<string> {
  const published = await publishedFiles(reference, context)
  context.say(`Downloading ${reference}.`)
  return downloadFromHub(
    {
      uri: reference,
      label: reference,
      ...placeOf(reference, context),
      async verify(paths) {
        await resolveFile(paths[0]!, 'hub')
        for (const [index, path] of paths.entries()) await checkHash(path, published[index]!, context)
      },
    },
    context,
  )
}

async function checkHash(path: string, { url, sha256 }: PublishedFile, { say }: ResolveContext): Promise<void> {
  if (sha256 === undefined)
    return say(`${new URL(url).host} publishes no SHA-256 of ${basename(path)}: its bytes are not checked.`)
  const digest = await sha256Of(path)
  if (digest !== sha256) throw new Error(`${basename(path)} has SHA-256 ${digest} instead of the published ${sha256}`)
}

/**
 * URLs that end alike are different files, so each has a directory of its own; Hugging Face references have the names that
 * node-llama-cpp gives them, which hold user and repository.
 */
function placeOf(
  reference: string,
  { directory }: ResolveContext,
): { readonly directory: string; readonly fileName?: string } {
  if (!/^https?:\/\//.test(reference)) return { directory }
  const digest = createHash('sha256').update(reference).digest('hex').slice(0, 16)
  return {
    directory: join(directory, `url-${digest}`),
    fileName: basename(new URL(reference).pathname) || 'model.gguf',
  }
}

import { askHub, hubFileUrl, publishedHash } from './hub.js'
import type { ResolveContext } from './resolve-options.js'

/** A file of a model where it is published. */
export interface PublishedFile {
  readonly url: string
  /** Of its bytes, where the publisher says so. */
  readonly sha256: string | undefined
}

const HUB_REFERENCE =
  /^(?:hf:(?:\/\/)?|huggingface:(?:\/\/)?|hf\.co\/|huggingface\.co\/)([^/:#]+\/[^/:#]+)(?::([^/#]*)|\/([^#]+))?(?:#(.+))?$/

/** The files that a reference stands for, the one to load first. Rejects when one of them is not there. */
export async function publishedFiles(reference: string, context: ResolveContext): Promise<PublishedFile[]> {
  const urls = partUrls(await entryUrl(reference, context))
  return Promise.all(urls.map(async (url) => ({ url, sha256: wholeFileHash(url, await askHub(url, context)) })))
}

/** What names no file but a quantization is looked up in the repository. */
async function entryUrl(reference: string, context: ResolveContext): Promise<string> {
  const [, repository, tag, path, revision = 'main'] = HUB_REFERENCE.exec(reference) ?? []
  if (repository === undefined) return asFileUrl(reference, context)
  const found = path ?? (await fileOfTag(repository, tag || 'latest', context))
  return hubFileUrl(context, { repository, revision, path: found })
}

/** The hub shows a page about a file where people copy its address. */
function asFileUrl(url: string, { hubEndpoint }: ResolveContext): string {
  return url.startsWith(hubEndpoint) ? url.replace('/blob/', '/resolve/') : url
}

async function fileOfTag(repository: string, tag: string, context: ResolveContext): Promise<string> {
  const url = `${context.hubEndpoint}v2/${repository}/manifests/${encodeURIComponent(tag)}`
  const manifest = (await (await askHub(url, context, 'GET')).json()) as { ggufFile?: { rfilename?: unknown } }
  const path = manifest.ggufFile?.rfilename
  if (typeof path !== 'string') throw new Error(`${repository} has no GGUF file for '${tag}'`)
  return path
}

/** Pieces of a file (`.gguf.part1of2`) have hashes of their own, which nobody can hold against the whole. */
function wholeFileHash(url: string, head: Response): string | undefined {
  return new URL(url).pathname.endsWith('.gguf') ? publishedHash(head) : undefined
}

const SPLIT = /-\d{5}-of-(\d{5})(?=\.gguf(?:\?|$))/

/** The parts of a model that is split into several GGUF files. */
function partUrls(url: string): string[] {
  const parts = Number(SPLIT.exec(url)?.[1] ?? 0)
  if (parts === 0) return [url]
  const digits = (number: number): string => String(number).padStart(5, '0')
  return Array.from({ length: parts }, (_, index) => url.replace(SPLIT, `-${digits(index + 1)}-of-${digits(parts)}`))
}

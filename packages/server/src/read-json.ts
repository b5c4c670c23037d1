import { ApiError } from './api-error.js'

/** The request's JSON, read up to `bytesMax`; 413 beyond, 400 when it is none. */
export async function readJson(request: Request, bytesMax: number): Promise<unknown> {
  return parseJson(await readUpTo(request, bytesMax), 'body')
}

/** JSON text, or its UTF-8; 400 that names `param` when it is none. */
export function parseJson(source: string | Uint8Array, param: string): unknown {
  try {
    const text = typeof source === 'string' ? source : new TextDecoder('utf-8', { fatal: true }).decode(source)
    return JSON.parse(text) as unknown
  } catch (error) {
    throw new ApiError(400, `${param}: not JSON: ${(error as Error).message}`)
  }
}

async function readUpTo(request: Request, bytesMax: number): Promise<Uint8Array> {
  const tooLarge = (): ApiError =>
    new ApiError(413, `The body is larger than ${bytesMax} bytes, the limit of this server.`)
  if (Number(request.headers.get('content-length') ?? 0) > bytesMax) throw tooLarge()
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of request.body ?? []) {
    size += chunk.byteLength
    if (size > bytesMax) throw tooLarge()
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

import { ApiError } from './api-error.js'

/** The request's JSON, read up to `bytesMax`; 413 beyond, 400 when it is none. */
export async function readJson(request: Request, bytesMax: number): Promise<unknown> {
  const bytes = await readUpTo(request, bytesMax)
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as unknown
  } catch (error) {
    throw new ApiError(400, `The body is not JSON: ${(error as Error).message}`)
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

import { KvbmError } from '@kvbm/core'

/** What went wrong, in the error format of the OpenAI API. */
export class ApiError extends Error {
  readonly status: 400 | 401 | 403 | 404 | 413 | 429 | 500 | 503
  readonly type: string
  readonly code: string | null
  readonly param: string | null
  readonly headers: Readonly<Record<string, string>>

  constructor(
    status: ApiError['status'],
    message: string,
    {
      type = 'invalid_request_error',
      code = null,
      param = null,
      headers = {},
    }: { type?: string; code?: string | null; param?: string | null; headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(message)
    this.status = status
    this.type = type
    this.code = code
    this.param = param
    this.headers = headers
  }

  get body(): { readonly error: { message: string; type: string; param: string | null; code: string | null } } {
    const { message, type, param, code } = this
    return { error: { message, type, param, code } }
  }

  toResponse(): Response {
    return Response.json(this.body, { status: this.status, headers: this.headers })
  }
}

/** Any failure as an `ApiError`: a model that was closed is 503; what else is not the caller's becomes a 500 that tells no more than its message. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error
  const message = error instanceof Error ? error.message : String(error)
  if (KvbmError.is(error, 'KVBM_CLOSED')) return new ApiError(503, message, { type: 'server_error' })
  return new ApiError(500, message, { type: 'server_error' })
}

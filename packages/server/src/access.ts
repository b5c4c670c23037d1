import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { ApiError } from './api-error.js'

/** Names that only reach this machine. */
const LOOPBACK_NAMES = ['localhost', '127.0.0.1', '[::1]']

export interface AccessOptions {
  /** Keys of the API; each is a tenant of its own. None: everybody who reaches the server shares one cache. */
  readonly apiKeys: readonly string[]
  /** Host names, besides those of loopback, under which the server may be addressed: on any port, or on the one that is given. */
  readonly allowedHosts: readonly string[]
  readonly controlToken: string
}

/** A random token for what changes the server's state. */
export function newControlToken(): string {
  return randomBytes(24).toString('base64url')
}

/** Whether a host name or address can only be reached from this machine. */
export function isLoopback(host: string): boolean {
  return host === '::1' || LOOPBACK_NAMES.includes(host) || /^127(\.\d{1,3}){3}$/.test(host)
}

/**
 * Who may ask what. A browser that another site drives reaches loopback servers too: it is recognised by a Host that is not ours
 * (DNS rebinding) or an Origin that is not the Host (cross-site requests).
 */
export class Access {
  readonly #options: AccessOptions
  readonly #hosts: ReadonlySet<string>

  constructor(options: AccessOptions) {
    this.#options = options
    this.#hosts = new Set([...LOOPBACK_NAMES, ...options.allowedHosts].map((host) => host.toLowerCase()))
  }

  /** Throws 403 for a request under a foreign name or from a foreign site. */
  checkSite(request: Request): void {
    const host = request.headers.get('host')?.toLowerCase() ?? new URL(request.url).host
    const name = host.replace(/:\d+$/, '')
    if (!this.#hosts.has(name) && !this.#hosts.has(host))
      throw new ApiError(403, `Host ${host} is not served here. Add it to allowedHosts.`)
    const origin = request.headers.get('origin')
    if (origin !== null && !isOriginOf(origin, host))
      throw new ApiError(403, `Requests from ${origin} are refused: this server answers pages of its own only.`)
  }

  /** The tenant of the request's key: its digest, so that no key reaches salts or logs. Undefined when the server has no keys. */
  tenantOf(request: Request): string | undefined {
    const { apiKeys } = this.#options
    if (apiKeys.length === 0) return undefined
    const given = bearerOf(request)
    const known = given === undefined ? undefined : apiKeys.find((key) => sameSecret(key, given))
    if (known === undefined)
      throw new ApiError(401, 'Give one of this server’s keys as "Authorization: Bearer KEY".', {
        code: 'invalid_api_key',
      })
    return tenantOfKey(known)
  }

  /** Throws 403 unless the request carries the token that the server printed when it started. */
  checkControl(request: Request): void {
    if (!this.holdsControl(request.headers.get('x-kvbm-token')))
      throw new ApiError(403, 'This changes the server: send the token that it printed at its start as "X-Kvbm-Token".')
  }

  /** Whether the request carries that token, there or as its key. */
  isOperator(request: Request): boolean {
    return this.holdsControl(request.headers.get('x-kvbm-token')) || this.holdsControl(bearerOf(request))
  }

  /** Throws 403 for who is not the operator, once there are keys: without them nobody is told apart. */
  checkOperator(request: Request): void {
    if (this.#options.apiKeys.length > 0 && !this.isOperator(request))
      throw new ApiError(
        403,
        'This tells of all tenants: send the token that the server printed at its start as "X-Kvbm-Token" or "Authorization: Bearer TOKEN".',
      )
  }

  holdsControl(token: string | null | undefined): boolean {
    return token != null && sameSecret(this.#options.controlToken, token)
  }
}

/** The tenant that an API key stands for, as blocks are salted with it. */
export function tenantOfKey(key: string): string {
  return digest(key).toString('hex')
}

function bearerOf(request: Request): string | undefined {
  return /^Bearer +(.+)$/i.exec(request.headers.get('authorization') ?? '')?.[1]
}

function isOriginOf(origin: string, host: string): boolean {
  try {
    return new URL(origin).host.toLowerCase() === host
  } catch {
    return false
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

/** Equal digests, compared in constant time: neither content nor length leaks. */
function sameSecret(a: string, b: string): boolean {
  return timingSafeEqual(digest(a), digest(b))
}

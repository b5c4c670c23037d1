import type { Logger } from '@kvbm/core'
import { createKvServer, type KvServer, type KvServerOptions } from '../../src/index.js'
import { ScriptedModel } from './scripted-model.js'

/** A server over a scripted model, listening on loopback; both end with the scope. */
export class ServerWorld {
  readonly model: ScriptedModel
  readonly server: KvServer
  readonly url: string

  constructor(model: ScriptedModel, server: KvServer, url: string) {
    this.model = model
    this.server = server
    this.url = url
  }

  static async open(options: Partial<KvServerOptions> = {}): Promise<ServerWorld> {
    const model = new ScriptedModel()
    const server = await createKvServer({ models: [model], ...options })
    return new ServerWorld(model, server, (await server.listen()).url)
  }

  post(path: string, body: unknown, init: RequestInit = {}): Promise<Response> {
    const headers = { 'Content-Type': 'application/json', ...(init.headers as Record<string, string>) }
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    return fetch(`${this.url}${path}`, { method: 'POST', body: text, ...init, headers })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.close({ deadlineMs: 1000 })
  }
}

export class RecordingLogger implements Logger {
  readonly errors: string[] = []
  debug(): void {}
  info(): void {}
  warn(): void {}
  error(message: string): void {
    this.errors.push(message)
  }
}

/** A promise and the function that resolves it. */
export function gate(): { readonly closed: Promise<void>; open(): void } {
  let open = (): void => {}
  const closed = new Promise<void>((resolve) => {
    open = resolve
  })
  return { closed, open: () => open() }
}

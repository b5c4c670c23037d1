import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { CHAT_PROCESS, type ChatProcessMessage, type ChatTask } from './chat-process.js'

/** The process that serves the model. Whoever kills it, another one starts at the same address. */
export class ChatServer implements AsyncDisposable {
  readonly #stop: AbortSignal
  readonly #failure = new AbortController()
  #task: ChatTask
  #child: ChildProcess
  #url = ''
  #restarting: Promise<void> | undefined
  #isClosed = false

  private constructor(task: ChatTask, stop: AbortSignal) {
    this.#task = task
    this.#stop = stop
    this.#child = startProcess(task)
  }

  /** Resolves when it serves. Rejects with what kept the process from it, or when `stop` aborts. */
  static async start(task: ChatTask, stop: AbortSignal): Promise<ChatServer> {
    const server = new ChatServer(task, stop)
    try {
      await server.#serving()
      return server
    } catch (error) {
      await server[Symbol.asyncDispose]()
      throw error
    }
  }

  get url(): string {
    return this.#url
  }

  /** Aborts, with the reason, when a process that was to take over did not get to serve. */
  get failed(): AbortSignal {
    return this.#failure.signal
  }

  /** SIGKILL, then another process at the same address; resolves when that serves. */
  kill(): Promise<void> {
    this.#restarting ??= this.#restart().finally(() => {
      this.#restarting = undefined
    })
    return this.#restarting
  }

  /** Lets running answers end. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true
    await this.#restarting?.catch(() => {})
    await end(this.#child, 'SIGTERM')
  }

  async #restart(): Promise<void> {
    await end(this.#child, 'SIGKILL')
    this.#child = startProcess(this.#task)
    try {
      await this.#serving()
    } catch (error) {
      this.#failure.abort(error)
      throw error
    }
  }

  async #serving(): Promise<void> {
    const child = this.#child
    const message = await firstMessage(child, this.#stop)
    if (message.type !== 'ready') throw new Error(message.type === 'failed' ? message.reason : 'It asks to be killed.')
    this.#url = message.url
    this.#task = { ...this.#task, port: message.port }
    const restart = (): void => {
      if (!this.#isClosed && this.#restarting === undefined) void this.kill().catch(() => {})
    }
    child.on('message', ({ type }: ChatProcessMessage) => type === 'kill-me' && restart())
    child.once('exit', restart)
  }
}

/** In a group of its own, so that Ctrl-C on a terminal reaches the parent alone. */
function startProcess(task: ChatTask): ChildProcess {
  const child = fork(process.argv[1]!, [CHAT_PROCESS], { detached: true })
  child.send(task)
  return child
}

async function firstMessage(child: ChildProcess, signal: AbortSignal): Promise<ChatProcessMessage> {
  const ended = once(child, 'exit', { signal }).then(([code, killedBy]) => {
    throw new Error(`The process that serves the model ended by itself with ${killedBy ?? code}.`)
  })
  const [message] = await Promise.race([once(child, 'message', { signal }), ended])
  return message as ChatProcessMessage
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill(signal)
  await exit
}

import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { CHAT_PROCESS, type ChatProcessMessage, type ChatTask } from './chat-process.js'

/** The process that serves the model; whenever it is killed, another one starts at the same address. */
export class ChatServer implements AsyncDisposable {
  #task: ChatTask
  #child: ChildProcess
  #url = ''
  #restarting: Promise<void> | undefined

  private constructor(task: ChatTask) {
    this.#task = task
    this.#child = startProcess(task)
  }

  /** Resolves when it serves. Rejects when the process ends before. */
  static async start(task: ChatTask): Promise<ChatServer> {
    const server = new ChatServer(task)
    await server.#serving()
    return server
  }

  get url(): string {
    return this.#url
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
    await this.#restarting
    await end(this.#child, 'SIGTERM')
  }

  async #restart(): Promise<void> {
    await end(this.#child, 'SIGKILL')
    this.#child = startProcess(this.#task)
    await this.#serving()
  }

  async #serving(): Promise<void> {
    const child = this.#child
    const ready = once(child, 'message').then(([message]) => message as ChatProcessMessage)
    const ended = once(child, 'exit').then(([code, signal]) => {
      throw new Error(`The process that serves the model ended by itself with ${code ?? signal}, see above.`)
    })
    const message = await Promise.race([ready, ended])
    if (message.type !== 'ready') throw new Error(`Expected the server to be ready, got ${message.type}.`)
    this.#url = message.url
    this.#task = { ...this.#task, port: message.port }
    child.on('message', ({ type }: ChatProcessMessage) => {
      if (type === 'kill-me') this.kill().catch((error) => console.error(String(error)))
    })
  }
}

function startProcess(task: ChatTask): ChildProcess {
  return fork(process.argv[1]!, [CHAT_PROCESS, JSON.stringify(task)])
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const exit = once(child, 'exit')
  child.kill(signal)
  await exit
}

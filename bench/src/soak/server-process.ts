import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { SOAK_SERVER, type SoakMessage, type SoakTask } from './soak-server.js'

export type Settled = Extract<SoakMessage, { type: 'settled' }>

/** The served process; after a kill another one takes its place, at the same address. */
export class ServerProcess {
  #task: SoakTask
  #child!: ChildProcess
  #url = ''
  #up: Promise<void>
  /** Memory of each life, sampled once a second. */
  readonly memory: number[][] = []

  constructor(task: SoakTask) {
    this.#task = task
    this.#up = this.#start()
  }

  /** Its address, once it serves. */
  async url(): Promise<string> {
    await this.#up
    return this.#url
  }

  /** SIGKILL, and another process. */
  async kill(): Promise<void> {
    const exit = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    this.#up = exit.then(() => this.#start())
    await this.#up
  }

  /** What it says when no capture waits. */
  async settled(): Promise<Settled> {
    const answer = this.#told('settled')
    this.#child.send({})
    return answer
  }

  /** SIGTERM; resolves with its exit code when it has let running answers end. */
  async stop(): Promise<number | null> {
    const exit = once(this.#child, 'exit')
    this.#child.kill('SIGTERM')
    return (await exit)[0]
  }

  async #start(): Promise<void> {
    this.#child = fork(process.argv[1]!, [SOAK_SERVER, JSON.stringify(this.#task)])
    const memory: number[] = []
    this.memory.push(memory)
    this.#child.on('message', (message: SoakMessage) => {
      if (message.type === 'memory') memory.push(message.rssBytes)
    })
    const { url, port } = await this.#told('ready')
    this.#url = url
    this.#task = { ...this.#task, port }
  }

  #told<T extends SoakMessage['type']>(type: T): Promise<Extract<SoakMessage, { type: T }>> {
    const child = this.#child
    return new Promise((resolve, reject) => {
      const onExit = (code: number | null, signal: NodeJS.Signals | null): void =>
        reject(new Error(`The server ended with ${code ?? signal} before it said ${type}.`))
      const onMessage = (message: SoakMessage): void => {
        if (message.type !== type) return
        child.off('message', onMessage).off('exit', onExit)
        resolve(message as Extract<SoakMessage, { type: T }>)
      }
      child.on('message', onMessage).once('exit', onExit)
    })
  }
}

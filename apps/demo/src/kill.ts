import { fork } from 'node:child_process'
import { once } from 'node:events'
import { DOOMED, type DoomedMessage, type DoomedTask } from './doomed-process.js'

/** Starts a process on this task, and kills it with SIGKILL once it has committed so many blocks, or has nothing more to do. */
export async function killAfter(commits: number, task: DoomedTask, stop: AbortSignal): Promise<void> {
  const child = fork(process.argv[1]!, [DOOMED, JSON.stringify(task)])
  const kill = () => void child.kill('SIGKILL')
  stop.addEventListener('abort', kill)
  if (stop.aborted) kill()
  let committed = 0
  child.on('message', (message: DoomedMessage) => {
    committed += message.committed
    if (committed >= commits || message.hasEnded) kill()
  })
  const [code, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
  stop.removeEventListener('abort', kill)
  if (signal !== 'SIGKILL') throw new Error(`A process that was to be killed ended by itself with ${code ?? signal}.`)
}

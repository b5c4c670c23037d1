import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { ReplayOptions } from './options.js'

/** What the scene found out. */
export interface CrashReport {
  /** Blocks whose commit on disk had been reported before the kill. */
  readonly committed: number
  /** Blocks that the next process found. */
  readonly survived: number
  /** Reported as committed, but not found: must be 0. */
  readonly lost: number
  readonly verified: number
  readonly wrong: number
  /** Of the same requests, served again by the next process. */
  readonly requests: number
  readonly hitRatio: number
}

/** What the two children are told. */
export interface ChildTask {
  readonly role: 'victim' | 'heir'
  readonly dir: string
  readonly seed: number
  readonly requests: number
  readonly blockBytes: number
  readonly diskBlocks: number
}

export type VictimMessage = { readonly kind: 'committed'; readonly hashes: readonly string[] }
export interface HeirMessage {
  readonly kind: 'result'
  readonly survived: number
  readonly found: readonly string[]
  readonly verified: number
  readonly wrong: number
  readonly requests: number
  readonly hitRatio: number
}

const KILL_AFTER_BLOCKS = 600
const CHILD = fileURLToPath(new URL('./main.js', import.meta.url))

/**
 * A child serves requests and reports each block committed to disk; in the middle it is killed with SIGKILL. A second child opens
 * the same directory, verifies all that survived and serves the same requests from it.
 */
export async function runCrashScene(dir: string, options: ReplayOptions, signal: AbortSignal): Promise<CrashReport> {
  const task = { dir, seed: options.seed + 1, requests: 120, blockBytes: options.blockBytes, diskBlocks: 8192 }
  const committed = await killInTheMiddle({ role: 'victim', ...task }, signal)
  const result = await inherit({ role: 'heir', ...task }, signal)
  const found = new Set(result.found)
  const lost = [...committed].filter((hash) => !found.has(hash)).length
  const { survived, verified, wrong, requests, hitRatio } = result
  return { committed: committed.size, survived, lost, verified, wrong, requests, hitRatio }
}

function start(task: ChildTask, signal: AbortSignal) {
  return fork(CHILD, ['--child', JSON.stringify(task)], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    signal,
    killSignal: 'SIGKILL',
  })
}

function killInTheMiddle(task: ChildTask, signal: AbortSignal): Promise<Set<string>> {
  const child = start(task, signal)
  const committed = new Set<string>()
  return new Promise((resolve, reject) => {
    child.on('message', (message: VictimMessage) => {
      for (const hash of message.hashes) committed.add(hash)
      if (committed.size >= KILL_AFTER_BLOCKS) child.kill('SIGKILL')
    })
    child.on('error', reject)
    child.on('exit', () => resolve(committed))
  })
}

function inherit(task: ChildTask, signal: AbortSignal): Promise<HeirMessage> {
  const child = start(task, signal)
  return new Promise((resolve, reject) => {
    let result: HeirMessage | undefined
    child.on('message', (message: HeirMessage) => (result = message))
    child.on('error', reject)
    child.on('exit', (code) =>
      result === undefined
        ? reject(new Error(`The second process ended with code ${code} before it could report.`))
        : resolve(result),
    )
  })
}

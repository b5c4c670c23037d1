import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { ResolvedModel } from '@kvbm/node-llama-cpp/models'
import colors from 'picocolors'
import { abortOnInterrupt } from '../interrupt.js'
import { describeMachine } from '../machine.js'
import type { Scene } from '../scene.js'
import { WorkDirectory } from '../work-directory.js'
import { CHAT_HELP, parseChatOptions } from './chat-options.js'
import { ChatServer } from './chat-server.js'
import { findModel } from './find-model.js'
import { formatHeader, formatStep, playGuidedScene, type Step } from './guided-scene.js'

/** A real model with the cache underneath: for people in a browser, and asked by itself. */
export const chatScene: Scene = {
  summary: 'serves a real model, and asks it the same cold, cached and after a SIGKILL (played when no scene is named)',
  help: CHAT_HELP,
  async play(args) {
    const options = parseChatOptions(args)
    const stop = abortOnInterrupt()
    const model = await findModel(options.model, stop)
    await using directory = await WorkDirectory.open(options.dir)
    const controlToken = randomBytes(24).toString('base64url')
    const { port, threads } = options
    const task = { ...taskOf(model), dir: directory.path, port, threads, controlToken }
    await using server = await ChatServer.start(task)
    console.log(welcome(model, `${server.url}/?token=${controlToken}`))
    const works = !options.guided || (await showScene(server, controlToken, stop))
    if (options.stay && !stop.aborted) await staying(stop)
    console.log(await whatWasWritten(directory, model, options.dir))
    return works ? 0 : 1
  },
}

function taskOf({ path, label, realText }: ResolvedModel) {
  return { modelPath: path, notice: realText ? '' : label }
}

function welcome({ label, realText }: ResolvedModel, address: string): string {
  const { cpu, cores } = describeMachine()
  const name = realText ? label : colors.yellow(label)
  return ['', `  ${name}`, colors.dim(`  on ${cpu}, ${cores} cores`), '', `  ${colors.bold(address)}`, ''].join('\n')
}

/** The table, line by line as it happens. Gives whether the cache did what it is for; Ctrl-C ends it early. */
async function showScene(server: ChatServer, controlToken: string, stop: AbortSignal): Promise<boolean> {
  console.log(formatHeader())
  let first: Step | undefined
  const onStep = (step: Step): void => {
    first ??= step
    console.log(formatStep(step, first))
  }
  try {
    const [, ...repeated] = await playGuidedScene({ server, controlToken, stop, onStep })
    console.log('')
    return repeated.every(({ answer }) => answer.cachedTokens > 0)
  } catch (error) {
    if (stop.aborted) return true
    throw error
  }
}

async function staying(stop: AbortSignal): Promise<void> {
  console.log('  Open the address above and chat. Ctrl-C ends.')
  await once(stop, 'abort')
}

async function whatWasWritten(
  directory: WorkDirectory,
  model: ResolvedModel,
  dir: string | undefined,
): Promise<string> {
  const megabytes = ((await directory.usedBytes()) / 1e6).toFixed(0)
  const fate = dir === undefined ? 'removed now' : 'kept'
  return [
    colors.dim(`  The model:  ${model.path}`),
    colors.dim(`  The cache:  ${directory.path}, ${megabytes} MB, ${fate}`),
  ].join('\n')
}

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import type { ResolvedModel } from '@kvbm/node-llama-cpp/models'
import colors from 'picocolors'
import { abortOnInterrupt } from '../interrupt.js'
import { describeMachine } from '../machine.js'
import type { Scene } from '../scene.js'
import { WorkDirectory } from '../work-directory.js'
import { CHAT_HELP, type ChatOptions, parseChatOptions } from './chat-options.js'
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
    try {
      return await serve(options, { model, dir: directory.path, stop })
    } catch (error) {
      if (stop.aborted) return 0
      throw error
    } finally {
      console.log(await whatWasWritten(directory, model, options.dir))
    }
  },
}

interface Ground {
  readonly model: ResolvedModel
  readonly dir: string
  readonly stop: AbortSignal
}

async function serve(options: ChatOptions, { model, dir, stop }: Ground): Promise<number> {
  const controlToken = randomBytes(24).toString('base64url')
  const { port, threads } = options
  await using server = await ChatServer.start({ ...taskOf(model), dir, port, threads, controlToken }, stop)
  console.log(welcome(model, `${server.url}/?token=${controlToken}`))
  const works = !options.guided || (await showScene(server, controlToken, stop))
  if (options.stay) await staying(server, stop)
  return works ? 0 : 1
}

function taskOf({ path, label, realText }: ResolvedModel) {
  return { modelPath: path, notice: realText ? '' : label }
}

function welcome({ label, realText }: ResolvedModel, address: string): string {
  const { cpu, cores } = describeMachine()
  const name = realText ? label : colors.yellow(label)
  return ['', `  ${name}`, colors.dim(`  on ${cpu}, ${cores} cores`), '', `  ${colors.bold(address)}`, ''].join('\n')
}

/** The table, line by line as it happens. Gives whether the cache did what it is for. */
async function showScene(server: ChatServer, controlToken: string, stop: AbortSignal): Promise<boolean> {
  console.log(formatHeader())
  let first: Step | undefined
  const onStep = (step: Step): void => {
    first ??= step
    console.log(formatStep(step, first))
  }
  const [question, ...repeated] = await playGuidedScene({ server, controlToken, stop, onStep })
  if (question!.answer.cachedTokens > 0)
    console.log(colors.dim('  Already the first was cached: an earlier run asked it.'))
  console.log('')
  return repeated.every(({ answer }) => answer.cachedTokens > 0)
}

/** Until Ctrl-C. Rejects when nobody serves any more. */
async function staying(server: ChatServer, stop: AbortSignal): Promise<void> {
  console.log('  Open the address above and chat. Ctrl-C ends.')
  const over = AbortSignal.any([stop, server.failed])
  if (!over.aborted) await once(over, 'abort')
  if (!stop.aborted) throw server.failed.reason
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

import { CHAT_PROCESS, playChatProcess } from './chat/chat-process.js'
import { chatScene } from './chat/chat-scene.js'
import { DOOMED, playDoomed } from './doomed-process.js'
import { killsScene } from './kills-scene.js'
import { replayScene } from './replay-scene.js'
import type { Scene } from './scene.js'
import { UsageError } from './usage-error.js'

const SCENES = new Map<string, Scene>([
  ['chat', chatScene],
  ['replay', replayScene],
  ['kills', killsScene],
])

/** Plays the scene that the first argument names, `chat` where it names none; gives the exit code. */
async function main(args: readonly string[]): Promise<number> {
  if (args[0] === DOOMED) return playDoomed(JSON.parse(args[1]!))
  if (args[0] === CHAT_PROCESS) return playChatProcess()
  const isNamed = args[0]?.startsWith('-') === false
  const [name = '', ...flags] = isNamed ? args : ['chat', ...args]
  const scene = SCENES.get(name)
  if (scene === undefined)
    throw new UsageError(`There is no scene '${name}'. There are: ${[...SCENES.keys()].join(', ')}. See --help.`)
  if (!flags.includes('--help') && !flags.includes('-h')) return scene.play(flags)
  console.log(isNamed ? scene.help : `${scene.help}\n${listOfScenes()}`)
  return 0
}

function listOfScenes(): string {
  const lines = [...SCENES].map(([name, { summary }]) => `  ${name.padEnd(18)} ${summary}\n`)
  return `Scenes, each with its own --help:\n\n${lines.join('')}`
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code
  },
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : String(error))
    process.exitCode = error instanceof UsageError ? 2 : 1
  },
)

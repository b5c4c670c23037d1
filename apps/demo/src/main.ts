import { DOOMED, playDoomed } from './doomed-process.js'
import { killsScene } from './kills-scene.js'
import { replayScene } from './replay-scene.js'
import type { Scene } from './scene.js'
import { UsageError } from './usage-error.js'

const SCENES = new Map<string, Scene>([
  ['replay', replayScene],
  ['kills', killsScene],
])

/** Scenes start with their name; without one the first scene is played. */
async function main(args: readonly string[]): Promise<number> {
  if (args[0] === DOOMED) return playDoomed(JSON.parse(args[1]!))
  const isNamed = args[0] !== undefined && !args[0].startsWith('-')
  const [name, ...flags] = isNamed ? (args as [string, ...string[]]) : (['replay', ...args] as const)
  const scene = SCENES.get(name)
  if (scene === undefined)
    throw new UsageError(`There is no scene '${name}'. There are: ${[...SCENES.keys()].join(', ')}. See --help.`)
  if (!flags.includes('--help') && !flags.includes('-h')) return scene.play(flags)
  console.log(isNamed ? scene.help : `${scene.help}\n${otherScenes()}`)
  return 0
}

function otherScenes(): string {
  const lines = [...SCENES].map(([name, { summary }]) => `  ${name.padEnd(18)} ${summary}`)
  return ['Scenes, each with its own --help:', '', ...lines, ''].join('\n')
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

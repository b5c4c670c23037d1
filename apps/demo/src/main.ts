import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import colors from 'picocolors'
import { openCache } from './cache.js'
import { runChild } from './crash-child.js'
import { type CrashReport, runCrashScene } from './crash-scene.js'
import { parseReplayOptions, REPLAY_HELP, type ReplayOptions } from './options.js'
import { replay } from './replay-scene.js'
import { formatReport, type Report } from './report.js'
import { UsageError } from './usage-error.js'

async function runReplay(options: ReplayOptions): Promise<void> {
  const stop = stopOnInterrupt()
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'kvbm-demo-')))
  try {
    const report = await replayOnce(options, dir, stop)
    console.log(formatReport(report))
    const crash =
      options.crash && options.diskBlocks > 0 && !stop.aborted ? await showCrash(options, dir, stop) : undefined
    if (options.json !== undefined)
      await writeFile(
        options.json,
        `${JSON.stringify({ ...report, ...(crash === undefined ? {} : { crash }) }, null, 2)}\n`,
      )
    if (report.blocks.wrong > 0 || (crash !== undefined && crash.wrong + crash.lost > 0)) process.exitCode = 1
  } finally {
    if (options.dir === undefined) await rm(dir, { recursive: true, force: true })
  }
}

async function replayOnce(options: ReplayOptions, dir: string, stop: AbortSignal): Promise<Report> {
  const manager = await openCache({ ...options, dir: join(dir, 'replay') })
  try {
    return await replay(manager, options, stop)
  } finally {
    await manager.close()
  }
}

async function showCrash(options: ReplayOptions, dir: string, stop: AbortSignal): Promise<CrashReport | undefined> {
  console.log(
    `\n${colors.bold('And now a crash.')} A process serves requests and is killed with SIGKILL in the middle …`,
  )
  try {
    const crash = await runCrashScene(join(dir, 'crash'), options, stop)
    console.log(formatCrash(crash))
    return crash
  } catch (error) {
    if (!stop.aborted) throw error
    console.log('  interrupted')
    return undefined
  }
}

function formatCrash(crash: CrashReport): string {
  const good = crash.wrong + crash.lost === 0
  return [
    `  It had reported ${crash.committed} blocks as committed. The next process opened the same directory and found ${crash.survived}.`,
    `  ${crash.verified} verified against bytes recomputed from their hashes: ${good ? colors.green('0 lost, 0 wrong') : colors.red(`${crash.lost} lost, ${crash.wrong} wrong`)}.`,
    `  The first ${crash.requests} requests, served again: ${(100 * crash.hitRatio).toFixed(1)} % of their blocks came from the cache.`,
    '',
  ].join('\n')
}

/** The first Ctrl-C ends cleanly with the report so far; a second one ends at once. */
function stopOnInterrupt(): AbortSignal {
  const controller = new AbortController()
  process.once('SIGINT', () => {
    controller.abort()
    process.stderr.write('\n  Stopping after this request (Ctrl-C again ends at once) …\n')
    process.once('SIGINT', () => process.exit(130))
  })
  return controller.signal
}

async function main(args: readonly string[]): Promise<void> {
  if (args[0] === '--child') return runChild(JSON.parse(args[1]!))
  const scene = args[0] === undefined || args[0].startsWith('-') ? 'replay' : args[0]
  if (scene !== 'replay') throw new UsageError(`There is no scene '${scene}'. There is: replay. See --help.`)
  const options = parseReplayOptions(args[0] === 'replay' ? args.slice(1) : args)
  if (options === undefined) console.log(REPLAY_HELP)
  else await runReplay(options)
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error))
  process.exitCode = error instanceof UsageError ? 2 : 1
})

import { openCache } from './cache.js'
import { type CrashReport, crash, formatCrash } from './crash.js'
import { abortOnInterrupt } from './interrupt.js'
import { JsonFile } from './json-file.js'
import { parseReplayOptions, REPLAY_HELP, type ReplayOptions } from './replay-options.js'
import { buildReport, type Report } from './report.js'
import { formatReport } from './report-text.js'
import { openRequests } from './requests.js'
import type { Scene } from './scene.js'
import { serveAll } from './serve-all.js'
import { StandInEngine } from './stand-in-engine.js'
import { isIntact } from './survivors.js'
import { WorkDirectory } from './work-directory.js'

/** The main job: a stream of requests over all tiers, and a process that is killed in the middle of it. */
export const replayScene: Scene = {
  summary: 'serves a stream of LLM requests over all tiers, then survives a SIGKILL',
  help: REPLAY_HELP,
  async play(args) {
    const options = parseReplayOptions(args)
    const json = await JsonFile.open(options.json)
    const stop = abortOnInterrupt()
    const report = await replay(options, stop)
    console.log(formatReport(report))
    const crashReport = await showCrash(options, stop)
    await json.write({ ...report, crash: crashReport })
    return report.blocks.wrong === 0 && (crashReport === undefined || isIntact(crashReport)) ? 0 : 1
  },
}

async function replay(options: ReplayOptions, stop: AbortSignal): Promise<Report> {
  const requests = await openRequests(options)
  await using directory = await WorkDirectory.open(options.dir)
  await using manager = await openCache({ ...options, dir: directory.path })
  const engine = new StandInEngine(manager)
  const started = performance.now()
  const tally = await serveAll(requests, engine, stop)
  if (!stop.aborted) await manager.settled()
  return buildReport(tally, manager.status(), {
    seconds: (performance.now() - started) / 1000,
    isInterrupted: stop.aborted,
    stages: engine.times.percentiles(),
    diskBytes: options.diskBlocks > 0 ? await directory.usedBytes() : 0,
  })
}

async function showCrash(options: ReplayOptions, stop: AbortSignal): Promise<CrashReport | undefined> {
  if (!options.crash || stop.aborted) return undefined
  if (options.diskBlocks === 0) {
    console.log('\nNo process is killed: without a disk tier nothing would survive it.')
    return undefined
  }
  const report = await crash(options, stop)
  console.log(report === undefined ? '  (interrupted)' : formatCrash(report))
  return report
}

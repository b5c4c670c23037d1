import { mkdirSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { ROOT, TOOLS } from './checkout.mjs'
import { runQuietly } from './processes.mjs'

const TAIL_LINES = 30
const REPORT_EVERY_MS = 30_000
const screen = process.stderr

/** A step that did not succeed; its message is for the user. */
export class StepFailed extends Error {
  constructor(message, exitCode = 1) {
    super(message)
    this.exitCode = exitCode
  }
}

/**
 * Runs a command without its noise: a line that it runs, a line how long it took, and in between what is going on. Gives all that
 * it printed. On failure throws StepFailed with the end of the log, where the whole log is, and the remedy.
 */
export async function quietStep({ title, name, remedy, tail = lastLines, status = (line) => line, ...command }) {
  const started = Date.now()
  const log = []
  const progress = showProgress(title, started)
  const onLine = (line) => {
    log.push(line)
    progress.say(status(line))
  }
  const result = await runQuietly({ ...command, onLine }).catch((error) => {
    onLine(error.message)
    return { code: 1, interrupted: false }
  })
  progress.end()
  const outcome = { title, name, log, seconds: secondsSince(started) }
  if (result.interrupted) throw new StepFailed(`${title}: interrupted.`, 130)
  if (result.code !== 0) throw new StepFailed(describeFailure(outcome, tail(log), remedy(log)))
  screen.write(`${title}: ${outcome.seconds}\n`)
  return log
}

/** `12 s`, `3 min 05 s` */
export function secondsSince(started) {
  const seconds = (Date.now() - started) / 1000
  if (seconds < 10) return `${seconds.toFixed(1)} s`
  const whole = Math.round(seconds)
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, '0')} s`
}

function describeFailure({ title, name, log, seconds }, tail, remedy) {
  const file = join(TOOLS, 'logs', `${name}.log`)
  mkdirSync(join(TOOLS, 'logs'), { recursive: true })
  writeFileSync(file, `${log.join('\n')}\n`)
  const lines = tail.map((line) => `  │ ${line}`)
  return [`${title}: failed after ${seconds}.`, ...lines, `  All of it: ${relative(ROOT, file)}`, `  ${remedy}`].join(
    '\n',
  )
}

function lastLines(log) {
  return log.filter((line) => line.trim() !== '').slice(-TAIL_LINES)
}

/** On a terminal one line that is written over each second; else a line at the beginning, and now and then one more. */
function showProgress(title, started) {
  const terminal = screen.isTTY
  let latest = ''
  const draw = () => {
    const text = `${title} … ${secondsSince(started)}  ${latest}`
    screen.write(terminal ? `\r${fit(text)}\u001b[K` : `${text.trimEnd()}\n`)
  }
  if (terminal) draw()
  else screen.write(`${title} …\n`)
  const timer = setInterval(draw, terminal ? 1000 : REPORT_EVERY_MS)
  return {
    say: (line) => {
      latest = line ?? latest
    },
    end: () => {
      clearInterval(timer)
      if (terminal) screen.write('\r\u001b[K')
    },
  }
}

function fit(text) {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours of the program would count as width.
  return text.replace(/\u001b\[[0-9;]*m/g, '').slice(0, (screen.columns ?? 80) - 1)
}

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:os'
import { delimiter, join } from 'node:path'
import { ROOT, TOOLS } from './checkout.mjs'

const WINDOWS = process.platform === 'win32'

const ENDING = ['SIGINT', 'SIGTERM', 'SIGHUP']

/** Without it a signal that the terminal sends to everybody would reach a child twice, once through us. */
const onTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY

/** The environment of everything we start: the pinned pnpm first on the path, tools that call nobody. */
export function environment(more = {}) {
  const path = Object.keys(process.env).find((name) => name.toUpperCase() === 'PATH') ?? 'PATH'
  return {
    ...process.env,
    [path]: [join(TOOLS, 'node_modules', '.bin'), process.env[path]].join(delimiter),
    TURBO_TELEMETRY_DISABLED: '1',
    TURBO_NO_UPDATE_NOTIFIER: '1',
    DO_NOT_TRACK: '1',
    ...more,
  }
}

/**
 * Runs a Node.js program in front of the user, who talks to it; gives its exit code, and whether a signal to end came meanwhile.
 * It decides itself what a signal means: the demo ends cleanly.
 */
export function runProgram(args, env = {}) {
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: 'inherit', env: environment(env) })
  return endOf(child, (signal) => {
    if (signal === 'SIGTERM' || !onTerminal) child.kill(signal)
  })
}

/**
 * Runs a command in the background and hands every line that it prints to `onLine`; gives its exit code, and whether a
 * signal to end came meanwhile. It leads a group of its own, so that a signal to us ends all that it started.
 */
export function runQuietly({ command = process.execPath, args, env = {}, onLine }) {
  const shell = WINDOWS && command.endsWith('.cmd')
  const stdio = ['ignore', 'pipe', 'pipe']
  const child = spawn(command, args, { cwd: ROOT, stdio, env: environment(env), detached: !WINDOWS, shell })
  for (const stream of [child.stdout, child.stderr]) eachLine(stream, onLine)
  return endOf(child, (signal) => killGroup(child.pid, signal))
}

function eachLine(stream, onLine) {
  let rest = ''
  stream.setEncoding('utf8')
  stream.on('data', (text) => {
    const lines = (rest + text).split(/\r?\n/)
    rest = lines.pop()
    lines.forEach(onLine)
  })
  stream.on('end', () => rest !== '' && onLine(rest))
}

function killGroup(pid, signal) {
  if (WINDOWS) spawn('taskkill', ['/pid', String(pid), '/T', '/F'], { stdio: 'ignore' })
  else process.kill(-pid, signal)
}

/** Waits for the end of a child, also while signals try to end us: no child is ever left behind. */
async function endOf(child, onSignal) {
  let interrupted = false
  const onEnding = (signal) => {
    interrupted = true
    if (child.pid !== undefined && child.exitCode === null && child.signalCode === null) onSignal(signal)
  }
  for (const signal of ENDING) process.on(signal, onEnding)
  try {
    const [code, signal] = await once(child, 'close')
    return { code: code ?? 128 + constants.signals[signal], interrupted }
  } finally {
    for (const signal of ENDING) process.off(signal, onEnding)
  }
}

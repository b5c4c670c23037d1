import { AsyncLocalStorage, AsyncResource } from 'node:async_hooks'
import files from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { performance } from 'node:perf_hooks'
import timers from 'node:timers/promises'
import type { SimulatedFiles, SimulatedProcess, SimulatedTimer, StartedProcess } from '@kvbm/native/testing'

/** Paths that begin so lie on the simulated disk, for programs that run on a simulated process. */
export const ROOT = '/simulated'

const FILE_CALLS = ['lstat', 'mkdir', 'readFile', 'rename', 'stat', 'unlink', 'writeFile'] as const
const inside = new AsyncLocalStorage<StartedProcess>()

type Anything = (...args: never[]) => unknown

/**
 * Runs a program on a simulated process: the clock, timers, random numbers and the files below `ROOT` are those of the simulated
 * machine, for everything that `act` begins. The rest of this process goes on as before.
 */
export function runOn<T>(ground: StartedProcess, act: () => T): T {
  return inside.run(ground, act)
}

/** Lays the ground that `runOn` needs, until disposed. Programs see it however they got hold of a module of Node. */
export function layGround(): Disposable {
  const undo = [...layTimers(), ...layClock(), ...layFiles(), letHandlesBeLost()]
  syncBuiltinESMExports()
  return {
    [Symbol.dispose]: () => {
      for (const restore of undo) restore()
      syncBuiltinESMExports()
    },
  }
}

function layTimers(): Array<() => void> {
  const cancel = (_: StartedProcess, timer: SimulatedTimer | undefined): void => timer?.cancel()
  return [
    replace(globalThis, 'setTimeout', ({ process }, act: Anything, delayMs = 1, ...args: never[]) =>
      process.setTimeout(inContext(act, args), delayMs),
    ),
    replace(globalThis, 'setImmediate', ({ process }, act: Anything, ...args: never[]) =>
      process.setImmediate(inContext(act, args)),
    ),
    replace(timers, 'setTimeout', ({ process }, delayMs?: number, value?: never, options?: PauseOptions) =>
      pause(process, { delayMs: delayMs ?? 1, value, signal: options?.signal }),
    ),
    replace(globalThis, 'clearTimeout', cancel),
    replace(globalThis, 'clearImmediate', cancel),
  ]
}

interface PauseOptions {
  readonly signal?: AbortSignal
}

/** `setTimeout` of `node:timers/promises`. */
function pause<T>(
  process: SimulatedProcess,
  { delayMs, value, signal }: { readonly delayMs: number; readonly value: T; readonly signal: AbortSignal | undefined },
): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = process.setTimeout(() => {
      signal?.removeEventListener('abort', abort)
      resolve(value)
    }, delayMs)
    const abort = (): void => {
      timer.cancel()
      reject(new DOMException('The pause was aborted.', { name: 'AbortError', cause: signal?.reason }))
    }
    if (signal?.aborted) abort()
    else signal?.addEventListener('abort', abort, { once: true })
  })
}

/** What a timer runs belongs to whoever set it, as with timers of Node. */
function inContext(act: Anything, args: never[]): () => void {
  return AsyncResource.bind(() => void act(...args))
}

function layClock(): Array<() => void> {
  return [
    replace(Date, 'now', ({ process }) => Math.floor(process.nowMs)),
    replace(performance, 'now', ({ process }) => process.nowMs),
    replace(Math, 'random', ({ process }) => process.random.unit()),
  ]
}

function layFiles(): Array<() => void> {
  return FILE_CALLS.map((name) => {
    const real = files[name] as Anything
    return replace(files, name, (ground, path: string, ...args: never[]) =>
      path.startsWith(ROOT)
        ? (ground.files[name] as (this: SimulatedFiles, ...args: unknown[]) => unknown).call(
            ground.files,
            path,
            ...args,
          )
        : real(path as never, ...args),
    )
  })
}

/** Handles of a process that died are lost without release, and rightly: no pool may warn of them or take blocks back. */
function letHandlesBeLost(): () => void {
  const before = process.env.NODE_ENV
  process.env.NODE_ENV = 'production'
  return () => {
    if (before === undefined) delete process.env.NODE_ENV
    else process.env.NODE_ENV = before
  }
}

/** Gives a function of `object` another meaning for programs on simulated ground. Returns what takes it back. */
function replace<T extends object, K extends keyof T>(
  object: T,
  name: K,
  simulated: (ground: StartedProcess, ...args: never[]) => unknown,
): () => void {
  const real = object[name] as Anything
  const chosen = function (this: unknown, ...args: never[]): unknown {
    const ground = inside.getStore()
    return ground === undefined ? real.apply(this, args) : simulated(ground, ...args)
  }
  object[name] = Object.assign(chosen, real) as T[K]
  return () => {
    object[name] = real as T[K]
  }
}

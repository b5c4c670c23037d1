import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { CaseTable } from '../conformance-case.js'
import { hasCode } from '../conformance-world.js'

/** The command flock takes the same lock as both bindings do on Linux. */
export function whyNoProcessLock(): string | undefined {
  if (process.platform !== 'linux') return 'only Linux has the command flock to play the second process'
  return spawnSync('flock', ['--version']).error === undefined ? undefined : 'the command flock is not installed'
}

export const lockCases: CaseTable = {
  'who comes second gets nothing until the first releases': async (world) => {
    const path = world.path()
    const first = await taken(world.binding.lockFile(path))
    assert.equal(await world.binding.lockFile(path), undefined)
    first.release()
    const second = await taken(world.binding.lockFile(path))
    second.release()
  },

  'releasing twice does not take the lock from the next holder': async (world) => {
    const path = world.path()
    const first = await taken(world.binding.lockFile(path))
    first.release()
    const second = await taken(world.binding.lockFile(path))
    first.release()
    assert.equal(await world.binding.lockFile(path), undefined)
    second.release()
  },

  'of ten that ask at once exactly one gets it': async (world) => {
    const path = world.path()
    const locks = await Promise.all(Array.from({ length: 10 }, () => world.binding.lockFile(path)))
    const held = locks.filter((lock) => lock !== undefined)
    assert.equal(held.length, 1)
    held[0]!.release()
  },

  'a lock in a directory that does not exist is KVBM_STORAGE_IO': async (world) => {
    await assert.rejects(world.binding.lockFile(join(world.path(), 'lock')), hasCode('KVBM_STORAGE_IO'))
  },
}

export const processLockCases: CaseTable = {
  'a lock file can be read and written by its owner only': async (world) => {
    const path = world.path()
    const lock = await taken(world.binding.lockFile(path))
    assert.equal((await stat(path)).mode & 0o777, 0o600)
    lock.release()
  },

  'what another process holds cannot be had, until that one is killed': async (world) => {
    const path = world.path()
    const holder = await holdElsewhere(path)
    assert.equal(await world.binding.lockFile(path), undefined)
    holder.kill('SIGKILL')
    await once(holder, 'exit')
    const lock = await taken(world.binding.lockFile(path))
    lock.release()
  },

  'what this process holds another one cannot have': async (world) => {
    const path = world.path()
    const lock = await taken(world.binding.lockFile(path))
    assert.equal(spawnSync('flock', ['-n', '-x', path, 'true']).status, 1)
    lock.release()
    assert.equal(spawnSync('flock', ['-n', '-x', path, 'true']).status, 0)
  },

  'children of this process do not inherit the lock': async (world) => {
    const path = world.path()
    const first = await taken(world.binding.lockFile(path))
    const child = spawn('sh', ['-c', 'echo started; exec cat'], { stdio: ['pipe', 'pipe', 'ignore'] })
    await once(child.stdout, 'data')
    first.release()
    const second = await taken(world.binding.lockFile(path))
    second.release()
    child.kill('SIGKILL')
    await once(child, 'exit')
  },
}

async function taken<T>(lock: Promise<T | undefined>): Promise<T> {
  const held = await lock
  assert.ok(held !== undefined, 'the lock should be free')
  return held
}

/** A process that holds the lock as long as it lives. */
async function holdElsewhere(path: string): Promise<ChildProcess> {
  const child = spawn('flock', ['-n', '-x', '-F', path, 'sh', '-c', 'echo held; exec cat'], {
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  await once(child.stdout, 'data')
  return child
}

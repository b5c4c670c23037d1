import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { stat, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import type { CaseTable } from '../conformance-case.js'
import { hasCode, pattern } from '../conformance-world.js'

const FULL_DEVICE = '/dev/full'

export function whyNoPosixFiles(): string | undefined {
  if (process.platform === 'win32') return 'Windows has no file modes'
  return existsSync(FULL_DEVICE) ? undefined : `there is no ${FULL_DEVICE} here`
}

export const posixFileCases: CaseTable = {
  'a new file can be read and written by its owner only': async (world) => {
    const path = world.path()
    await world.file(undefined, { path })
    assert.equal((await stat(path)).mode & 0o777, 0o600)
  },

  'a symbolic link is refused': async (world) => {
    const [path, link] = [world.path(), world.path()]
    await world.file(undefined, { path })
    await symlink(path, link)
    await assert.rejects(world.open({ path: link }), hasCode('KVBM_STORAGE_IO'))
  },

  'a folder and a pipe are refused, at once': async (world) => {
    const pipe = world.path()
    assert.equal(spawnSync('mkfifo', [pipe]).status, 0)
    for (const path of [tmpdir(), pipe]) {
      for (const write of [false, true]) {
        await assert.rejects(world.open({ path, write }), hasCode('KVBM_STORAGE_IO'))
      }
    }
  },

  'a full disk is KVBM_STORAGE_FULL': async (world) => {
    const { id } = await world.open({ path: FULL_DEVICE })
    await assert.rejects(world.binding.writeFile(id, 0, pattern(10)), hasCode('KVBM_STORAGE_FULL'))
    await assert.rejects(world.write(id, 0, pattern(10)), hasCode('KVBM_STORAGE_FULL'))
  },
}

import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { onEachBinding } from './support/bindings.js'
import { bundleScenes, Program } from './support/program.js'
import { useTemporaryDirectory } from './support/temporary-directory.js'

const directory = useTemporaryDirectory()
let program: string
beforeAll(async () => {
  program = await bundleScenes(directory)
})

onEachBinding((make, name) => {
  const play = (scene: string, ...more: string[]) => new Program(program, scene, name, ...more)

  describe('a process', () => {
    test('ends by itself with memory, windows, files and an idle engine left open', async () => {
      await using child = play('idle', join(directory, `idle-${name}`))
      expect(await child.end()).toEqual({ lines: [String(32 * 2 ** 20)], end: 0 })
    })

    test('stays until a job is done that nobody awaits', async () => {
      await using child = play('busy')
      expect(await child.end()).toEqual({ lines: ['copied'], end: 0 })
    })

    test('may exit while jobs run', async () => {
      await using child = play('exit')
      expect(await child.end()).toEqual({ lines: ['leaving'], end: 7 })
    })

    test('may close everything while jobs run, and all of them end well', async () => {
      await using child = play('close')
      expect(await child.end()).toEqual({ lines: ['10'], end: 0 })
    })

    test('survives workers that are terminated in the middle of their jobs', async () => {
      await using child = play('workers')
      expect(await child.end()).toEqual({ lines: ['5'], end: 0 })
    })

    test('keeps adopted memory from the garbage collector until its region closes', async () => {
      await using child = play('garbage')
      expect(await child.end()).toEqual({ lines: ['9', 'collected'], end: 0 })
    })

    test('gives memory back when regions close', async () => {
      await using child = play('recycle')
      expect(await child.end()).toEqual({ lines: ['given back'], end: 0 })
    })

    test('that holds a lock keeps it from others until it is killed', async () => {
      const path = join(directory, `lock-${name}`)
      {
        await using child = play('lock', path)
        expect(await child.line()).toBe('held')
        expect(await make().lockFile(path)).toBeUndefined()
        await using portable = new Program(program, 'lock', 'portable', path)
        expect(await portable.line()).toBe('refused')
      }
      const lock = await make().lockFile(path)
      expect(lock).toBeDefined()
      lock!.release()
    })
  })
})

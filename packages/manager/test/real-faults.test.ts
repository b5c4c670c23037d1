import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { Manager, ManagerEvent } from '../src/index.js'
import { smallFileSystem, whyNoMounts } from './support/mounts.js'
import { compute, content, faultyWorld, openManager, readLease } from './world.js'

const MIB = 2 ** 20
const SOON = { probeDelayMs: 5, probeDelayMaxMs: 20, placeAgeMs: 0 }

const onDisk = (path: string): Promise<Manager> =>
  openManager({ host: 16, disk: { numBlocks: 64, path }, settings: SOON })

function state(manager: Manager, wanted: 'ok' | 'degraded'): Promise<ManagerEvent> {
  return new Promise((resolve) => {
    manager.onEvent((event) => {
      if (event.type === 'tier-state' && event.state === wanted) resolve(event)
    })
  })
}

async function offered(manager: Manager, seed: number) {
  const { hashes, kept } = await compute(manager, 2, seed)
  await manager.settled()
  kept.release()
  return hashes
}

const isPossible = whyNoMounts === ''

describe.skipIf(!isPossible)(`a real file system${isPossible ? '' : ` (skipped: ${whyNoMounts})`}`, () => {
  test('that is full, the manager stays up, and uses the room that somebody makes', async () => {
    using disk = smallFileSystem(6 * MIB)
    await using manager = await onDisk(disk.path)
    const filler = join(disk.path, 'filler')
    expect(() => writeFileSync(filler, new Uint8Array(8 * MIB))).toThrow(/ENOSPC/)
    const [bad, well] = [state(manager, 'degraded'), state(manager, 'ok')]
    const lost = await offered(manager, 1)
    expect(await bad).toMatchObject({ tier: 'disk', reason: expect.stringMatching(/^writing: /) })
    expect(manager.status().tiers.disk).toMatchObject({ isReadable: true, isWritable: false })
    expect([...manager.disk.scan(lost)]).toEqual([0, 0])

    rmSync(filler)
    await well
    const kept = await offered(manager, 2)
    expect([...manager.disk.scan(kept)]).toEqual([1, 1])
  })

  test('that is full: a tier that has all its space and fails once works again, for reading and writing', async () => {
    using disk = smallFileSystem(6 * MIB)
    await using world = await faultyWorld({
      host: 16,
      disk: { numBlocks: 64, path: disk.path },
      settings: SOON,
      more: { hostLayout: { numBlocks: 16 } },
    })
    const { manager, faults, regions } = world
    const below = await offered(manager, 1)
    expect(() => writeFileSync(join(disk.path, 'filler'), new Uint8Array(8 * MIB))).toThrow(/ENOSPC/)
    await manager.host.resetBlocks(below)
    const well = state(manager, 'ok')
    faults.lose(regions.disk)
    {
      using lease = manager.match(below)
      using _none = await manager.onboard(lease)
    }
    const { kept } = await compute(manager, 1, 3)
    expect(await manager.offload(kept)).toMatchObject({ copied: 0 })
    kept.release()
    expect(manager.status().tiers.disk).toMatchObject({ isReadable: false, reason: expect.stringMatching(/writing: /) })
    faults.clear()
    await well
    {
      using lease = manager.match(below)
      expect(await readLease(manager, lease)).toEqual(Buffer.from(content(2, 1)))
    }
    expect([...manager.disk.scan(await offered(manager, 2))]).toEqual([1, 1])
  })

  test('that is taken away while it is open, the manager stays up, and uses it when it is mounted again', async () => {
    using disk = smallFileSystem(6 * MIB)
    await using manager = await onDisk(disk.path)
    const below = await offered(manager, 1)
    const [bad, well] = [state(manager, 'degraded'), state(manager, 'ok')]
    disk.detach()
    const lost = await offered(manager, 2)
    expect(await bad).toMatchObject({ tier: 'disk', reason: expect.stringMatching(/is not there any more/) })
    expect([...manager.disk.scan(lost)]).toEqual([0, 0])
    disk.attach()
    await well
    await manager.host.resetBlocks(below)
    using lease = manager.match(below)
    expect(await readLease(manager, lease)).toEqual(Buffer.from(content(2, 1)))
  })

  test('that can only be read, the disk tier is refused with the name of its directory', async () => {
    using disk = smallFileSystem(6 * MIB)
    disk.setReadOnly()
    await expect(onDisk(disk.path)).rejects.toMatchObject({
      code: 'KVBM_STORAGE_IO',
      message: expect.stringContaining(disk.path),
    })
  })
})

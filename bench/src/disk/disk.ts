import { join } from 'node:path'
import { DisposeStack } from '@kvbm/core'
import type { Contender, Subject } from '../harness.js'
import { temporaryDirectory } from '../temporary-directory.js'
import { DiskTier, MEMORY_BYTES } from './disk-tier.js'
import { type DiskWork, wordsFor } from './disk-work.js'
import { EIGHT_THREADS, Fio, type FioEngine } from './fio.js'
import { plainFile } from './plain-file.js'

interface DiskSubjectOptions {
  readonly directory: string
  readonly workingSetBytes: number
}

const MIB = 2 ** 20
const SIZES = { '1m': MIB, '128k': 128 * 1024 } as const
const ACCESSES = { write: 'overwrite', 'first-write': 'first-write', read: 'read' } as const

/** `disk-1m-write`, … : each size of block, each way to touch a file. */
export const DISK_SUBJECTS: Readonly<Record<string, (options: DiskSubjectOptions) => Promise<Subject>>> =
  Object.fromEntries(
    Object.entries(SIZES).flatMap(([size, blockBytes]) =>
      Object.entries(ACCESSES).map(([verb, access]) => {
        const name = `disk-${size}-${verb}`
        return [name, (options: DiskSubjectOptions) => diskSubject(name, { blockBytes, access }, options)]
      }),
    ),
  )

async function diskSubject(
  name: string,
  kind: Pick<DiskWork, 'blockBytes' | 'access'>,
  { directory, workingSetBytes: fileBytes }: DiskSubjectOptions,
): Promise<Subject> {
  const work = { ...kind, fileBytes, roundBytes: fileBytes / 4 }
  const owned = new DisposeStack()
  try {
    const place = await temporaryDirectory(directory)
    owned.defer(async () => place[Symbol.asyncDispose]())
    const { path } = place
    const tier = owned.use(await DiskTier.create(path, work))
    const { contenders, note } = await others(path, work, tier)
    const ours = {
      name: `disk tier, ${MEMORY_BYTES / MIB} MiB of memory`,
      run: () => tier.run(),
      close: () => owned.close(),
    }
    const notes = [note, `The disk tier keeps checksums and records. ${tier.describe()}`]
    return { name, work: wordsFor(work), unit: 'bytes/s', contenders: [ours, ...contenders], notes }
  } catch (error) {
    await owned.close()
    throw error
  }
}

/** `fio` where it is installed, else a plain file. */
async function others(
  path: string,
  work: DiskWork,
  tier: DiskTier,
): Promise<{ contenders: Contender[]; note: string }> {
  const file = join(path, 'other.bin')
  const missing = await Fio.whyNot()
  if (missing !== undefined) return { contenders: [plainFile(file, work, tier.memory)], note: missing }
  const fio = new Fio(file, work)
  await fio.prepare()
  const alike = await fio.best([MEMORY_BYTES / work.blockBytes])
  const best = await fio.best()
  const contenders = [
    { name: `fio, as much memory: ${wordsOf(alike)}`, run: () => fio.run(alike) },
    { name: `fio, as it is fastest: ${wordsOf(best)}`, run: () => fio.run(best) },
    { name: 'fio, 8 threads of pread and pwrite', run: () => fio.run(EIGHT_THREADS) },
  ]
  return {
    contenders,
    note: `fio has as many buffers as requests in flight, on transparent huge pages, sums nothing, and keeps no records. At depth ${best.depth} all of its buffers are ${(best.depth * work.blockBytes) / MIB} MiB, which the processor's caches may hold.`,
  }
}

function wordsOf({ ioengine, depth }: FioEngine): string {
  return `${ioengine}, depth ${depth}`
}

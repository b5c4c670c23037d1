import { createHash } from 'node:crypto'
import { type Entry, openPromise, type ZipFile } from 'yauzl'
import type { PinnedModel } from './pinned-model.js'
import { writeAtomically } from './write-atomically.js'

/**
 * Unpacks one file of a zip archive to `path`, where it appears only if it has the expected size and hash. Rejects with what is
 * wrong. The archive is not trusted: no more bytes are written than expected, under no other name.
 */
export async function extractEntry(
  archive: string,
  entryName: string,
  path: string,
  expected: Pick<PinnedModel, 'sizeBytes' | 'sha256'>,
): Promise<void> {
  const zip = await openPromise(archive, { autoClose: false, lazyEntries: true })
  try {
    const entry = await findEntry(zip, entryName)
    if (entry.uncompressedSize !== expected.sizeBytes)
      throw new Error(`${entryName} has ${entry.uncompressedSize} bytes instead of ${expected.sizeBytes}`)
    await unpack(zip, entry, path, expected.sha256)
  } finally {
    zip.close()
  }
}

async function findEntry(zip: ZipFile, name: string): Promise<Entry> {
  for await (const entry of zip.eachEntry()) if (entry.fileName === name) return entry
  throw new Error(`the archive has no ${name}`)
}

async function unpack(zip: ZipFile, entry: Entry, path: string, sha256: string): Promise<void> {
  const hash = createHash('sha256')
  await writeAtomically(path, async (handle) => {
    for await (const chunk of (await zip.openReadStreamPromise(entry)) as AsyncIterable<Uint8Array>) {
      hash.update(chunk)
      await handle.appendFile(chunk)
    }
    const digest = hash.digest('hex')
    if (digest !== sha256) throw new Error(`${entry.fileName} has SHA-256 ${digest} instead of ${sha256}`)
  })
}

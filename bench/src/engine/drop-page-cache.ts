import { execFile } from 'node:child_process'
import { open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

/**
 * Makes the system forget what it holds of all files below a directory, so that the next read comes from the disk. False where that
 * cannot be had: it takes `dd` of GNU coreutils.
 */
export async function dropPageCache(directory: string): Promise<boolean> {
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (entry.isFile() && !(await dropFile(join(entry.parentPath, entry.name)))) return false
  }
  return true
}

/** Only pages that are written can be dropped. */
async function dropFile(path: string): Promise<boolean> {
  const file = await open(path, 'r')
  await file.datasync().finally(() => file.close())
  try {
    await promisify(execFile)('dd', [`if=${path}`, 'iflag=nocache', 'count=0', 'status=none'])
    return true
  } catch {
    return false
  }
}

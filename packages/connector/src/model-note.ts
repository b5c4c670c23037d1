import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

/** Writes into a sub-directory whose blocks these are, for people. Never rejects: blocks are found without it. */
export async function writeModelNote(root: string, directory: string, name: string): Promise<void> {
  await writeFile(noteOf(root, directory), `${JSON.stringify({ name })}\n`, { mode: 0o600 }).catch(() => undefined)
}

/** The name of the model whose blocks a sub-directory holds; undefined where no connector has named it. */
export async function readModelNote(root: string, directory: string): Promise<string | undefined> {
  try {
    const { name } = JSON.parse(await readFile(noteOf(root, directory), 'utf8')) as { name?: unknown }
    return typeof name === 'string' ? name : undefined
  } catch {
    return undefined
  }
}

function noteOf(root: string, directory: string): string {
  return join(root, directory, 'model.json')
}

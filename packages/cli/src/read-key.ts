import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'

/** An API key from a file, `-` for standard input: on a command line it would be seen by everybody on the machine. */
export async function readKey(file: string): Promise<string> {
  const key = (file === '-' ? await text(process.stdin) : await readFile(file, 'utf8')).trim()
  if (key === '') throw new Error(`There is no key in ${file}.`)
  return key
}

import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'

/** API keys from a file, one in a line; `-` for standard input. On a command line everybody on the machine would see them. */
export async function readKeys(file: string): Promise<readonly string[]> {
  const lines = (file === '-' ? await text(process.stdin) : await readFile(file, 'utf8')).split('\n')
  const keys = lines.map((line) => line.trim()).filter((line) => line !== '')
  if (keys.length === 0) throw new Error(`There is no key in ${file}.`)
  return keys
}

/** The only key of a file. */
export async function readKey(file: string): Promise<string> {
  const [key, ...others] = await readKeys(file)
  if (others.length > 0) throw new Error(`There are ${others.length + 1} keys in ${file}: give a file with one.`)
  return key!
}

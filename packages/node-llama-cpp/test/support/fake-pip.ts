import { createWriteStream } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { ZipFile } from 'yazl'

/** Writes a wheel: a real zip archive with these files in it. */
export async function writeWheel(path: string, files: Readonly<Record<string, Uint8Array>>): Promise<void> {
  const zip = new ZipFile()
  for (const [name, bytes] of Object.entries(files)) zip.addBuffer(Buffer.from(bytes), name)
  zip.end()
  await pipeline(zip.outputStream, createWriteStream(path))
}

/** A `PATH` on which the only command is `name`, a program whose body is `script`; it finds its arguments in `args`. */
export async function pathWith(directory: string, name: string, script: string): Promise<string> {
  const bin = join(directory, 'bin')
  await mkdir(bin, { recursive: true })
  const program = `#!${process.execPath}\nconst args = process.argv.slice(2)\n${script}\n`
  await writeFile(join(bin, name), program, { mode: 0o755 })
  return bin
}

/** The body of a pip that "downloads" the file at `wheel`, and writes down how it was called. */
export function pipThatCopies(wheel: string, log: string): string {
  return `
    const { appendFileSync, copyFileSync } = require('node:fs')
    appendFileSync(${JSON.stringify(log)}, args.join(' ') + '\\n')
    const directory = args[args.indexOf('--dest') + 1]
    copyFileSync(${JSON.stringify(wheel)}, directory + '/some-0.1-py3-none-any.whl')`
}

import { readFile } from 'node:fs/promises'

/** Beside `src/` and `dist/` alike. */
const FOLDER = new URL('../page/', import.meta.url)

/** The one page, with everything in it. */
export function page(): Promise<string> {
  return readFile(new URL('index.html', FOLDER), 'utf8')
}

/** The document that the demo asks about. */
export function document(): Promise<string> {
  return readFile(new URL('document.txt', FOLDER), 'utf8')
}

import { execFileSync } from 'node:child_process'
import { linkSync, mkdirSync, symlinkSync } from 'node:fs'

/** What may lie in the place of a file of ours, by what it is; a link leads to `target`, which must not be touched. */
export const IMPOSTORS: Readonly<Record<string, (path: string, target: string) => void>> = {
  'a symbolic link': (path, target) => symlinkSync(target, path),
  'a second name of another file': (path, target) => linkSync(target, path),
  'a pipe': (path) => execFileSync('mkfifo', ['-m', '600', path]),
  'a directory': (path) => mkdirSync(path, { mode: 0o700 }),
}

/** Every impostor in the place of every one of these files. */
export function impostorsFor(names: readonly string[]): { readonly name: string; readonly impostor: string }[] {
  return Object.keys(IMPOSTORS).flatMap((impostor) => names.map((name) => ({ name, impostor })))
}

import { createHash } from 'node:crypto'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** Folders of a package that its build does not read. */
const PASSED_OVER = /^(node_modules|dist|build|test|tests|coverage|results|npm|\..*)$|\.md$/

/** A digest of the contents of files and folders, and of further words. What does not exist counts as that. */
export function fingerprint(root, paths, words = []) {
  const hash = createHash('sha256').update(JSON.stringify(words))
  for (const path of paths.flatMap((path) => filesBelow(root, path)).sort()) {
    const content = readFileSync(join(root, path))
    hash.update(`${path}\0${content.length}\0`).update(content)
  }
  return hash.digest('hex')
}

function filesBelow(root, path) {
  const entry = statSync(join(root, path), { throwIfNoEntry: false })
  if (entry === undefined) return []
  if (!entry.isDirectory()) return [path]
  return readdirSync(join(root, path), { withFileTypes: true })
    .filter(({ name }) => !PASSED_OVER.test(name))
    .flatMap(({ name }) => filesBelow(root, `${path}/${name}`))
}

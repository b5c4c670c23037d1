import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The packages of the workspace: `{ folder, manifest }`, folders relative to the root. */
export function readMembers(root) {
  const [, list = ''] = readFileSync(join(root, 'pnpm-workspace.yaml'), 'utf8').split(/^packages:\r?\n/m)
  const patterns = /^(?: {2}- .*\r?\n?)+/.exec(list)?.[0].match(/[^\s'"-][^\s'"]*/g) ?? []
  return patterns
    .flatMap((pattern) => expand(root, pattern))
    .filter((folder) => existsSync(join(root, folder, 'package.json')))
    .map((folder) => ({ folder, manifest: readJson(join(root, folder, 'package.json')) }))
}

function expand(root, pattern) {
  if (!pattern.endsWith('/*')) return [pattern]
  const parent = pattern.slice(0, -2)
  if (!existsSync(join(root, parent))) return []
  return readdirSync(join(root, parent)).map((name) => `${parent}/${name}`)
}

/** The members with these names, and all members that they depend on. */
export function withDependencies(members, names) {
  const found = new Set(names)
  for (const name of found) {
    const { manifest } = members.find((member) => member.manifest.name === name)
    for (const dependency of dependenciesOf(manifest)) {
      if (members.some((member) => member.manifest.name === dependency)) found.add(dependency)
    }
  }
  return members.filter(({ manifest }) => found.has(manifest.name))
}

export function dependenciesOf(manifest) {
  const { dependencies, devDependencies, optionalDependencies, peerDependencies } = manifest
  return Object.keys({ ...dependencies, ...devDependencies, ...optionalDependencies, ...peerDependencies })
}

/** What a build of this member leaves behind, relative to the root. */
export function outputsOf({ folder, manifest }) {
  if (manifest.scripts?.build === undefined) return []
  const doors = JSON.stringify(manifest.exports ?? {}).match(/(?<="\.\/)dist\/[^"]+/g) ?? ['dist/main.js']
  return doors.map((file) => `${folder}/${file}`)
}

export function readJson(path) {
  return JSON.parse(readFileSync(path, 'utf8'))
}

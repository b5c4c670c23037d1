import { posix } from 'node:path'
import type { SourceFile } from './read-house.js'

/** For each file the files of its package that it reaches. */
export type Graph = ReadonlyMap<string, readonly string[]>

export function graphOf(files: readonly SourceFile[], reaches: (file: SourceFile) => string[]): Graph {
  const known = new Set(files.map(({ path }) => path))
  return new Map(files.map((file) => [file.path, reaches(file).filter((path) => known.has(path))]))
}

export function importedPaths(file: SourceFile): string[] {
  return file.imports.flatMap(({ specifier }) => (specifier.startsWith('.') ? [resolvePath(file, specifier)] : []))
}

/** A file also reaches what it hands by name to a bundler or a child process. */
function namedPaths(file: SourceFile): string[] {
  return [
    ...importedPaths(file),
    ...file.literals.filter((text) => text.startsWith('./')).map((text) => resolvePath(file, text)),
  ]
}

export function resolvePath({ path }: SourceFile, specifier: string): string {
  return posix.join(posix.dirname(path), specifier).replace(/\.([cm]?)js(x?)$/, '.$1ts$2')
}

/** All files that `roots` lead to by importing or naming them, the roots included. */
export function reachable(files: readonly SourceFile[], roots: readonly string[]): Set<string> {
  const graph = graphOf(files, namedPaths)
  const reached = new Set<string>(roots)
  // A set that grows while it is walked is walked to its new end.
  for (const path of reached) for (const next of graph.get(path) ?? []) reached.add(next)
  return reached
}

/** One sentence for each circle, found by walking depth first: a file met again on the way closes one. */
export function cyclesOf(graph: Graph): string[] {
  const done = new Set<string>()
  const walk = (path: string, way: readonly string[]): string[] => {
    if (way.includes(path))
      return [`Files import each other in a circle: ${[...way.slice(way.indexOf(path)), path].join(' → ')}.`]
    if (done.has(path)) return []
    const found = (graph.get(path) ?? []).flatMap((next) => walk(next, [...way, path]))
    done.add(path)
    return found
  }
  return [...graph.keys()].flatMap((path) => walk(path, []))
}

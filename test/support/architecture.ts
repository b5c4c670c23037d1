import { existsSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { join, posix } from 'node:path'
import { cyclesOf, graphOf, importedPaths, reachable, resolvePath } from './file-graph.js'
import { HOUSE } from './house-table.js'
import {
  doorsOf,
  filesBelow,
  type House,
  type Import,
  type Manifest,
  type Package,
  readJson,
  SCOPE,
  type SourceFile,
} from './read-house.js'

/** One rule of the house: a sentence for each place that breaks it, none where all is well. */
export type Rule = (house: House) => string[]

/** Every arrow between packages is in the table; an arrow for types only is an arrow. */
export const arrowsAreInTheTable: Rule = (house) =>
  everyImport(house, sourcesOf, ({ name }, { path }, { specifier, kind }) => {
    if (specifier.startsWith('.') || isBuiltin(specifier)) return []
    const target = packageOf(specifier)
    const allowed = allowedFor(name)
    const reaches = `${path} imports ${kind === 'type' ? 'types of ' : ''}${specifier}`
    if (!allowed.includes(target))
      return [`${reaches}, but ${name} may import ${allowed.length > 0 ? 'only ' : ''}${listed(allowed)}.`]
    const mayBeMissing = HOUSE[name]?.optional?.includes(target)
    return mayBeMissing && kind === 'value' ? [`${reaches}, which may be missing: use await import().`] : []
  })

/** Pure packages compute: they reach nothing of the machine. */
export const purePackagesReachNothing: Rule = (house) =>
  everyImport(house, sourcesOf, ({ name }, { path }, { specifier }) =>
    HOUSE[name]?.pure && isBuiltin(specifier) && !path.includes('/testing/')
      ? [`${path} imports ${specifier}, but ${name} is pure: it imports nothing of Node.`]
      : [],
  )

/** A package is entered through its front doors, never through a path into its folder. */
export const pathsStayInside: Rule = (house) =>
  everyImport(
    house,
    ({ files }) => files,
    ({ folder, sources }, file, { specifier }) => {
      if (!specifier.startsWith('.') || file.path.endsWith('tsup.config.ts')) return []
      // The addon and the manifest lie beside the sources and are packed with them.
      const inside = file.path.startsWith(`${sources}/`) && !/\.(node|json)$/.test(specifier) ? sources : folder
      if (resolvePath(file, specifier).startsWith(`${inside}/`)) return []
      return [`${file.path} imports ${specifier}, which lies outside ${inside}/.`]
    },
  )

/** What is imported is declared, and what is declared stands in the table. */
export const manifestsMatch: Rule = (house) =>
  house.packages.flatMap((own) => {
    const { name, folder, manifest } = own
    if (HOUSE[name] === undefined) return [`${folder} has no row in test/support/house-table.ts.`]
    const declared = declaredBy(manifest)
    const imported = [...new Set(sourcesOf(own).flatMap(packagesOf))]
    const depends = `${folder}/package.json depends on`
    return [
      ...without(declared, allowedFor(name)).map((target) => `${depends} ${target}, but ${name} may not import it.`),
      ...without(imported, declared).map((target) => `${folder} imports ${target}, but does not declare it.`),
      ...without(optionalOf(name, declared), optionalPeersOf(manifest)).map(
        (target) => `${depends} ${target}, which must be an optional peer.`,
      ),
    ]
  })

/** `tsc -b` builds along the same arrows: the references of a package are its dependencies of ours. */
export const referencesMatch: Rule = ({ root, packages }) => {
  const compiled = packages.filter(({ folder }) => existsSync(join(root, folder, 'tsconfig.json')))
  return compiled.flatMap(({ folder, manifest }) => {
    const declared = declaredBy(manifest)
    const wanted = compiled.filter((other) => declared.includes(other.manifest.name))
    return compareReferences(root, folder, wanted)
  })
}

/** `tsc -b` at the root builds the whole house. */
export const rootBuildsEverything: Rule = ({ root, packages }) =>
  compareReferences(
    root,
    '.',
    packages.filter(({ folder }) => existsSync(join(root, folder, 'tsconfig.json'))),
  )

/** Files of a package do not import each other in circles. */
export const filesHaveNoCycles: Rule = (house) =>
  house.packages.flatMap(({ files }) => cyclesOf(graphOf(files, importedPaths)))

/** Every source is reached from a front door, every helper of the tests from a test. */
export const filesAreReached: Rule = (house) =>
  house.packages.flatMap((own) => {
    const { folder, files } = own
    const doors = entriesOf(own)
    const tests = files.map(({ path }) => path).filter((path) => path.endsWith('.test.ts'))
    const sources = sourcesOf(own).map(({ path }) => path)
    const helpers = files.map(({ path }) => path).filter((path) => path.startsWith(`${folder}/test/`))
    return [
      ...without(sources, reachable(files, doors)).map(
        (path) => `${path} is reached from no front door of ${folder} (${listed(doors)}).`,
      ),
      ...without(helpers, reachable(files, tests)).map((path) => `${path} is used by no test.`),
    ]
  })

/** Only the addon knows Node-API; the core below it is plain C++. */
export const onlyTheAddonKnowsNodeApi: Rule = ({ root }) =>
  filesBelow(root, 'native')
    .filter((path) => /\.(cc|h)$/.test(path) && !path.startsWith('native/addon/'))
    .filter((path) => /^\s*#\s*include\s*[<"](napi|node_api|js_native_api|node|v8|uv)\.h[>"]/m.test(read(root, path)))
    .map((path) => `${path} includes Node-API, but only native/addon may.`)

/** Names are the same at both ends of an import. */
export const nothingIsExportedAsDefault: Rule = (house) =>
  house.packages
    .flatMap(sourcesOf)
    .filter(({ hasDefaultExport }) => hasDefaultExport)
    .map(({ path }) => `${path} has a default export; export it by name.`)

export const RULES: Readonly<Record<string, Rule>> = {
  'every arrow between packages is in the table': arrowsAreInTheTable,
  'pure packages import nothing of Node': purePackagesReachNothing,
  'no path leads into the folder of another package': pathsStayInside,
  'what is imported is declared, and what is declared is in the table': manifestsMatch,
  'references of tsconfig.json are the declared packages of ours': referencesMatch,
  'the root builds every package': rootBuildsEverything,
  'no files import each other in circles': filesHaveNoCycles,
  'no file is left that nobody reaches': filesAreReached,
  'only native/addon includes Node-API': onlyTheAddonKnowsNodeApi,
  'nothing is exported as default': nothingIsExportedAsDefault,
}

type Judge = (own: Package, file: SourceFile, found: Import) => string[]

function everyImport(house: House, filesOf: (own: Package) => readonly SourceFile[], judge: Judge): string[] {
  return house.packages.flatMap((own) =>
    filesOf(own).flatMap((file) => file.imports.flatMap((found) => judge(own, file, found))),
  )
}

function sourcesOf({ files, sources }: Package): SourceFile[] {
  return files.filter(({ path }) => path.startsWith(`${sources}/`))
}

function listed(names: readonly string[]): string {
  return names.join(', ') || 'nothing'
}

/** `@kvbm/storage/testing` → `@kvbm/storage`. */
function packageOf(specifier: string): string {
  return specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/')
}

function packagesOf({ imports }: SourceFile): string[] {
  const outside = imports.filter(({ specifier }) => !specifier.startsWith('.') && !isBuiltin(specifier))
  return outside.map(({ specifier }) => packageOf(specifier))
}

/** What a package may import, by full name. */
function allowedFor(name: string): string[] {
  const row = HOUSE[name]
  if (row === undefined) return []
  const rows = Object.keys(HOUSE)
  const ours = row.mayImport === 'below' ? rows.slice(0, rows.indexOf(name)) : row.mayImport
  return [...ours.map((short) => SCOPE + short), ...row.external]
}

function declaredBy({ dependencies, peerDependencies, optionalDependencies }: Manifest): string[] {
  return Object.keys({ ...dependencies, ...peerDependencies, ...optionalDependencies })
}

function optionalOf(name: string, declared: readonly string[]): string[] {
  return declared.filter((target) => HOUSE[name]?.optional?.includes(target))
}

function optionalPeersOf({ peerDependencies = {}, peerDependenciesMeta = {} }: Manifest): string[] {
  return Object.keys(peerDependencies).filter((target) => peerDependenciesMeta[target]?.optional)
}

function compareReferences(root: string, folder: string, wanted: readonly Package[]): string[] {
  const path = posix.join(folder, 'tsconfig.json')
  const { references = [] } = readJson<{ references?: { path: string }[] }>(root, path)
  const found = references.map((reference) => posix.join(folder, reference.path))
  const folders = wanted.map((other) => other.folder)
  return [
    ...without(folders, found).map((missing) => `${path} lacks a reference to ${missing}.`),
    ...without(found, folders).map((extra) => `${path} refers to ${extra}, which is no dependency of ours.`),
  ]
}

/** The sources that manifest and bundler name as entries. */
function entriesOf(own: Package): string[] {
  const config = own.files.find(({ path }) => path === `${own.folder}/tsup.config.ts`)
  const bundled = (config?.literals ?? []).filter((literal) => literal.endsWith('.ts'))
  return [...new Set([...doorsOf(own), ...bundled.map((entry) => posix.join(own.folder, entry))])]
}

function without(names: readonly string[], others: Iterable<string>): string[] {
  const taken = new Set(others)
  return names.filter((name) => !taken.has(name))
}

function read(root: string, path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

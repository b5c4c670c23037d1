import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import ts from 'typescript'
import { readMembers } from '../../scripts/bootstrap/workspace.mjs'

/** How a file reaches another: when it is loaded, for its types only, or by `await import()`. */
export type ImportKind = 'value' | 'type' | 'dynamic'

export interface Import {
  readonly specifier: string
  readonly kind: ImportKind
}

/** One TypeScript file. Paths are relative to the root of the house, with forward slashes. */
export interface SourceFile {
  readonly path: string
  readonly imports: readonly Import[]
  /** String literals that are not specifiers: a file may also be named to a bundler or to a child process. */
  readonly literals: readonly string[]
  readonly hasDefaultExport: boolean
}

export interface Manifest {
  readonly name: string
  readonly description?: string
  readonly license?: string
  readonly private?: boolean
  readonly bin?: Readonly<Record<string, string>>
  readonly exports?: Readonly<Record<string, string | { readonly '@kvbm/source'?: string }>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

export interface Package {
  /** Name without the scope: its row in the table. */
  readonly name: string
  readonly folder: string
  readonly manifest: Manifest
  /** Where its sources are: `<folder>/src`, for native `<folder>/lib`. */
  readonly sources: string
  readonly files: readonly SourceFile[]
}

export interface House {
  readonly root: string
  readonly packages: readonly Package[]
}

export const SCOPE = '@kvbm/'

/** Reads every package that the workspace of `root` names, each TypeScript file parsed once. */
export function readHouse(root: string): House {
  return { root, packages: readMembers(root).map(({ folder }) => readPackage(root, folder)) }
}

/** The source behind `@kvbm/name` or `@kvbm/name/door`, if it is a door of this package. */
export function doorOf({ manifest, folder }: Package, specifier: string): string | undefined {
  const door = manifest.exports?.[specifier.replace(manifest.name, '.')]
  if (!`${specifier}/`.startsWith(`${manifest.name}/`) || typeof door !== 'object') return undefined
  return door['@kvbm/source'] && posix.join(folder, door['@kvbm/source'])
}

/** The sources behind all doors of a package. */
export function doorsOf(own: Package): string[] {
  const doors = Object.keys(own.manifest.exports ?? {}).map((door) => door.replace('.', own.manifest.name))
  return doors.flatMap((specifier) => doorOf(own, specifier) ?? [])
}

export function readJson<T>(root: string, path: string): T {
  return ts.parseConfigFileTextToJson(path, readFileSync(join(root, path), 'utf8')).config as T
}

/** Files below a folder, without what was installed or built. Nothing when there is no such folder. */
export function filesBelow(root: string, folder: string): string[] {
  if (!existsSync(join(root, folder))) return []
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = posix.join(folder, entry.name)
    if (entry.isDirectory()) return PASSED_OVER.test(entry.name) ? [] : filesBelow(root, path)
    // In a worktree of git `.git` is a file that names the main checkout.
    return entry.isFile() && entry.name !== '.git' ? [path] : []
  })
}

const PASSED_OVER = /^(node_modules|dist|build|results|\..*)$/

function readPackage(root: string, folder: string): Package {
  const manifest = readJson<Manifest>(root, posix.join(folder, 'package.json'))
  const name = manifest.name.replace(SCOPE, '')
  const sources = posix.join(folder, name === 'native' ? 'lib' : 'src')
  const own = [
    ...filesBelow(root, sources),
    ...filesBelow(root, posix.join(folder, 'test')),
    `${folder}/tsup.config.ts`,
  ]
  const files = own.filter((path) => /\.[cm]?tsx?$/.test(path) && existsSync(join(root, path)))
  return { name, folder, manifest, sources, files: files.map((path) => readSource(root, path)) }
}

function readSource(root: string, path: string): SourceFile {
  const tree = ts.createSourceFile(path, readFileSync(join(root, path), 'utf8'), ts.ScriptTarget.Latest, true)
  const imports: Import[] = []
  const literals: string[] = []
  let hasDefaultExport = false
  const visit = (node: ts.Node): void => {
    const found = importOf(node)
    if (found !== undefined) imports.push(found)
    else if (ts.isStringLiteralLike(node)) literals.push(node.text)
    hasDefaultExport ||= isDefaultExport(node)
    ts.forEachChild(node, (child) => (child === specifierOf(node) ? undefined : visit(child)))
  }
  visit(tree)
  return { path, imports, literals, hasDefaultExport }
}

function importOf(node: ts.Node): Import | undefined {
  const specifier = specifierOf(node)
  return specifier === undefined ? undefined : { specifier: specifier.text, kind: kindOf(node) }
}

/** The literal that names what a node imports: of import and export declarations, `import()`, `require`, import types. */
function specifierOf(node: ts.Node): ts.StringLiteralLike | undefined {
  const name = specifierNode(node)
  return name !== undefined && ts.isStringLiteralLike(name) ? name : undefined
}

function specifierNode(node: ts.Node): ts.Node | undefined {
  if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) return node.moduleSpecifier
  if (ts.isExternalModuleReference(node)) return node.expression
  if (ts.isLiteralTypeNode(node) && ts.isImportTypeNode(node.parent)) return node.literal
  if (ts.isCallExpression(node) && isImportingCall(node.expression)) return node.arguments[0]
  return undefined
}

function isImportingCall(callee: ts.Expression): boolean {
  if (callee.kind === ts.SyntaxKind.ImportKeyword || isRequire(callee)) return true
  return ts.isPropertyAccessExpression(callee) && callee.name.text === 'resolve' && isRequire(callee.expression)
}

/** `require`, `createRequire(…)`, or the name that a file gave to what `createRequire` made. */
function isRequire(callee: ts.Expression): boolean {
  if (ts.isCallExpression(callee)) return /\bcreateRequire$/.test(callee.expression.getText())
  if (!ts.isIdentifier(callee)) return false
  return callee.text === 'require' || callee.getSourceFile().text.includes(`${callee.text} = createRequire(`)
}

// `import { type T }` is no type import: what is left of it after compiling still loads the file.
function kindOf(node: ts.Node): ImportKind {
  if (ts.isCallExpression(node)) return node.expression.kind === ts.SyntaxKind.ImportKeyword ? 'dynamic' : 'value'
  if (ts.isImportDeclaration(node)) {
    return node.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword ? 'type' : 'value'
  }
  if (ts.isExternalModuleReference(node)) return node.parent.isTypeOnly ? 'type' : 'value'
  return ts.isExportDeclaration(node) && !node.isTypeOnly ? 'value' : 'type'
}

function isDefaultExport(node: ts.Node): boolean {
  if (ts.isExportAssignment(node)) return true
  if (ts.isExportSpecifier(node)) return node.name.text === 'default'
  return (
    ts.canHaveModifiers(node) && (ts.getModifiers(node) ?? []).some(({ kind }) => kind === ts.SyntaxKind.DefaultKeyword)
  )
}

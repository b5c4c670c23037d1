import { join } from 'node:path'
import ts from 'typescript'
import { doorsOf, filesBelow, type House, readJson } from './read-house.js'

/** A name that leaves a front door, and whether its declaration has a doc comment. */
export interface ExportedSymbol {
  readonly door: string
  readonly name: string
  readonly documented: boolean
}

/** The compiler's view of the house: all front doors, all tests, and what they import. */
export function compileHouse(house: House): ts.Program {
  const tests = [...house.packages.map(({ folder }) => `${folder}/test`), 'test'].flatMap((folder) =>
    filesBelow(house.root, folder),
  )
  const files = [...publicDoors(house), ...tests.filter((path) => path.endsWith('.ts'))]
  return ts.createProgram(
    files.map((path) => join(house.root, path)),
    compilerOptions(house.root),
  )
}

/** What the compiler has to say about the house, as `file:line message`. */
export function problemsOf({ root }: House, program: ts.Program): string[] {
  return ts.getPreEmitDiagnostics(program).map(({ file, start = 0, messageText }) => {
    const text = ts.flattenDiagnosticMessageText(messageText, '\n')
    if (file === undefined) return text
    return `${file.fileName.slice(root.length + 1)}:${file.getLineAndCharacterOfPosition(start).line + 1} ${text}`
  })
}

/** Everything that the front doors of published packages export, found through all re-exports. */
export function exportedSymbols(house: House, program: ts.Program): ExportedSymbol[] {
  const checker = program.getTypeChecker()
  return publicDoors(house).flatMap((door) => {
    const module = checker.getSymbolAtLocation(program.getSourceFile(join(house.root, door))!)
    const symbols = module === undefined ? [] : checker.getExportsOfModule(module)
    return symbols.map((symbol) => ({ door, name: symbol.name, documented: isDocumented(checker, symbol) }))
  })
}

function publicDoors({ packages }: House): string[] {
  return packages.filter(({ manifest }) => !manifest.private).flatMap(doorsOf)
}

function isDocumented(checker: ts.TypeChecker, symbol: ts.Symbol): boolean {
  const aliased = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
  return aliased.getDocumentationComment(checker).length > 0
}

function compilerOptions(root: string): ts.CompilerOptions {
  const { compilerOptions } = readJson<{ compilerOptions: object }>(root, 'tsconfig.base.json')
  const own = { composite: false, declaration: false, declarationMap: false, emitDeclarationOnly: false, noEmit: true }
  // Tests of the house use a script of the bootstrap, which is plain JavaScript.
  const scripts = { allowJs: true }
  return ts.convertCompilerOptionsFromJson({ ...compilerOptions, ...own, ...scripts }, root).options
}

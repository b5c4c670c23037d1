import { join } from 'node:path'
import ts from 'typescript'
import { doorsOf, type House, readJson } from './read-house.js'

/** A name that leaves a front door, and whether its declaration has a doc comment. */
export interface ExportedSymbol {
  readonly door: string
  readonly name: string
  readonly documented: boolean
}

/** Everything that the front doors of published packages export, found by the compiler through all re-exports. */
export function exportedSymbols({ root, packages }: House): ExportedSymbol[] {
  const doors = packages.filter(({ manifest }) => !manifest.private).flatMap(doorsOf)
  const program = ts.createProgram(
    doors.map((door) => join(root, door)),
    compilerOptions(root),
  )
  const checker = program.getTypeChecker()
  return doors.flatMap((door) => {
    const module = checker.getSymbolAtLocation(program.getSourceFile(join(root, door))!)
    const symbols = module === undefined ? [] : checker.getExportsOfModule(module)
    return symbols.map((symbol) => ({ door, name: symbol.name, documented: isDocumented(checker, symbol) }))
  })
}

function isDocumented(checker: ts.TypeChecker, symbol: ts.Symbol): boolean {
  const aliased = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
  return aliased.getDocumentationComment(checker).length > 0
}

function compilerOptions(root: string): ts.CompilerOptions {
  const { compilerOptions } = readJson<{ compilerOptions: object }>(root, 'tsconfig.base.json')
  return ts.convertCompilerOptionsFromJson({ ...compilerOptions, composite: false, noEmit: true }, root).options
}

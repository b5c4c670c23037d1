import { resolve } from 'node:path'
import ts from 'typescript'
import { expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '..')

test('types.test.ts compiles, so what it says about types is true', () => {
  const { config } = ts.readConfigFile(resolve(root, '../../tsconfig.base.json'), ts.sys.readFile)
  const own = { composite: false, declaration: false, declarationMap: false, emitDeclarationOnly: false, noEmit: true }
  const raw = { compilerOptions: { ...config.compilerOptions, ...own }, files: ['test/types.test.ts'] }
  const parsed = ts.parseJsonConfigFileContent(raw, ts.sys, root)
  const program = ts.createProgram(parsed.fileNames, parsed.options)
  const found = ts.getPreEmitDiagnostics(program).map(({ file, start = 0, messageText }) => {
    const line = file === undefined ? '' : `${file.fileName}:${file.getLineAndCharacterOfPosition(start).line + 1} `
    return `${line}${ts.flattenDiagnosticMessageText(messageText, '\n')}`
  })
  expect(found).toEqual([])
  expect(parsed.fileNames).toHaveLength(1)
})

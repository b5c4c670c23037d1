import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { filesBelow, readHouse } from './support/read-house.js'
import { readmeBlocks, runnableBlocks } from './support/readme-blocks.js'
import { runBlock } from './support/run-block.js'
import { missingFrom, statedOutput } from './support/stated-output.js'

const root = resolve(import.meta.dirname, '..')
const house = readHouse(root)
const pages = filesBelow(root, '.').filter((path) => /^(docs\/|.*README\.md$)/.test(path) && path.endsWith('.md'))

/** Who runs what stands in pages of the whole house: whoever has an engine, too. */
const READER = 'packages/node-llama-cpp'

function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'kvbm-block-'))
  onTestFinished(() => rmSync(directory, { recursive: true }))
  return directory
}

const blocksOf = (page: string) => runnableBlocks(join(root, page))
const skippedOf = (page: string) => readmeBlocks(join(root, page)).filter(({ notRun }) => notRun !== undefined)

describe.each(pages.filter((page) => blocksOf(page).length + skippedOf(page).length > 0))('%s', (page) => {
  const from = house.packages.find(({ folder }) => folder === dirname(page))?.folder ?? READER

  for (const { line, code, language } of blocksOf(page))
    test(`the block of line ${line} runs and prints what it says`, async () => {
      const printed = await runBlock({ house, code, language, from, directory: temporaryDirectory() })
      expect(missingFrom(printed, statedOutput(code)), printed).toEqual([])
    })

  for (const { line, notRun } of skippedOf(page)) test.skip(`the block of line ${line} is not run: ${notRun}`, () => {})
})

describe('a block', () => {
  const run = (code: string, language = 'js') =>
    runBlock({ house, code, language, from: READER, directory: temporaryDirectory() })

  test('states its output behind console.log and below code, and nowhere else', () => {
    const code = `// Why.
const a = 1 // one
console.log(a) // 1

// What comes next.
for (const b of [2, 3]) {
  // Inside.
  console.log(b)
}
// 2
// 3
`
    expect(statedOutput(code)).toEqual(['1', '2', '3'])
    expect(missingFrom('1\nmore\n2\n3\n', statedOutput(code))).toEqual([])
    expect(missingFrom('1\n3\n2\n', statedOutput(code))).toEqual(['3'])
  })

  test('that ends badly is caught, with what it said', async () => {
    await expect(run("console.log('before')\nthrow new Error('bad')\n")).rejects.toThrow(/ended with 1:\nbefore.*bad/s)
  })

  test('that imports what its reader has not installed is caught', async () => {
    await expect(run("import 'lru-cache'\n")).rejects.toThrow()
  })

  test('in TypeScript runs, `using` included', async () => {
    const code = "{ using end: Disposable = { [Symbol.dispose]: () => console.log('end') } }\n"
    await expect(run(code, 'ts')).resolves.toBe('end\n')
  })
})

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { readmeBlocks, runnableBlocks } from './support/readme-blocks.js'

function markdown(...lines: string[]): string {
  const folder = mkdtempSync(join(tmpdir(), 'kvbm-readme-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'README.md')
  writeFileSync(path, lines.join('\n'))
  return path
}

test('a block has its language, its code and the line of its fence', () => {
  const path = markdown('# Title', '', '```js', "import 'a'", '', 'b()', '```', '', '```', 'a picture', '```')
  expect(readmeBlocks(path)).toEqual([
    { language: 'js', code: "import 'a'\n\nb()\n", line: 3 },
    { language: '', code: 'a picture\n', line: 9 },
  ])
})

test('a longer fence holds shorter ones, and a block in a list loses its indent', () => {
  const path = markdown(
    '````md',
    '```js',
    'no()',
    '```',
    '````',
    '1. first',
    '',
    '   ~~~ts title="x"',
    '   if (a)',
    '     b()',
    '   ~~~',
  )
  expect(readmeBlocks(path)).toEqual([
    { language: 'md', code: '```js\nno()\n```\n', line: 1 },
    { language: 'ts', code: 'if (a)\n  b()\n', line: 8 },
  ])
})

test('what is marked as not run, or is no JavaScript, is not runnable', () => {
  const path = markdown(
    '<!-- not run: needs a GPU -->',
    '',
    '```js',
    'gpu()',
    '```',
    '```sh',
    'ls',
    '```',
    '```ts',
    'yes()',
    '```',
  )
  expect(readmeBlocks(path)[0]).toMatchObject({ notRun: 'needs a GPU' })
  expect(runnableBlocks(path)).toEqual([{ language: 'ts', code: 'yes()\n', line: 9 }])
})

test('a fence that is never closed is an error with its place', () => {
  expect(() => readmeBlocks(markdown('', '```js', 'a()'))).toThrow(/README\.md:2: the fence ``` is never closed/)
})

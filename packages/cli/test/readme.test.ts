import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { CacheWorld } from './support/cache-world.js'
import { Kvbm } from './support/kvbm.js'

const kvbm = new Kvbm()
afterAll(() => kvbm[Symbol.dispose]())

interface Example {
  readonly args: readonly string[]
  readonly printed: string
}

test('every command of a console prints what the page says, apart from numbers', async () => {
  const examples = consoleExamples(readFileSync(new URL('../README.md', import.meta.url), 'utf8'))
  expect(examples.length).toBeGreaterThanOrEqual(5)
  using world = new CacheWorld()
  await world.fill([Uint32Array.from({ length: 100 }, (_, index) => index)], { name: 'Small.gguf', tenant: 'acme' })
  const now = Uint32Array.from({ length: 50 }, (_, index) => index * 31)
  writeFileSync(world.at('now.json'), JSON.stringify([...now]))
  writeFileSync(world.at('then.json'), JSON.stringify([...now.with(40, 7)]))
  for (const { args, printed } of examples) {
    const { code, out, err } = await kvbm.run(args, { cwd: world.root })
    expect({ code, err }, args.join(' ')).toEqual({ code: 0, err: '' })
    expect(shape(out), args.join(' ')).toBe(shape(printed))
  }
})

test('every command of the help is in its table', async () => {
  const page = readFileSync(new URL('../README.md', import.meta.url), 'utf8')
  const { out } = await kvbm.run(['--help'])
  const shown = [...page.matchAll(/^\| `kvbm (\w+)`/gm)].map(([, name]) => name)
  expect(shown).toEqual([...out.matchAll(/^ {2}(\w+) {2}/gm)].map(([, name]) => name))
})

/** What stands behind each `$ kvbm …` of the page's console blocks, until the next one. */
function consoleExamples(page: string): Example[] {
  const consoles = [...page.matchAll(/^```console\n(.*?)^```$/gms)].map(([, text]) => text!)
  return consoles
    .flatMap((text) => text.split(/^\$ kvbm /m).slice(1))
    .map((example) => {
      const [command = '', ...lines] = example.split('\n')
      return { args: command.split(' '), printed: lines.join('\n') }
    })
}

/** Numbers, units of size, names of directories and the widths of columns depend on the file system. */
function shape(text: string): string {
  return text
    .replace(/\b[0-9a-f]{16}\b/g, 'DIRECTORY')
    .replace(/\d[\d.,]*( [KMG]?i?B\b)?/g, 'N')
    .replace(/ +/g, ' ')
    .trim()
}

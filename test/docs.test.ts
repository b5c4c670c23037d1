import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, posix, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Counters } from '../packages/manager/src/counters.js'
import { METRICS } from '../packages/manager/src/metrics.js'
import { DEFAULT_SETTINGS } from '../packages/manager/src/settings.js'
import { anchorsOf, referencesOf, tableRows } from './support/markdown.js'
import { filesBelow, readHouse } from './support/read-house.js'
import { readmeBlocks } from './support/readme-blocks.js'

const root = resolve(import.meta.dirname, '..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')
const files = ['.', '.ci', '.github', '.changeset'].flatMap((folder) => filesBelow(root, folder))
const house = readHouse(root)
const published = house.packages.filter(({ manifest }) => !manifest.private)

describe('docs/errors.md', () => {
  const core = read('packages/core/src/errors.ts')
  const classes = [...core.matchAll(/class (\w+) extends KvbmError [\s\S]*?'(KVBM_\w+)'/g)]
  const codes = classes.map(([, name, code]) => ({ code: code!, name: name! }))
  const sources = files.filter((path) => /^(packages\/.*\/src|native\/lib)\/.*\.ts$/.test(path)).map(read)
  const tests = files.filter((path) => path.endsWith('.test.ts') && !path.startsWith('packages/core/')).map(read)

  test('lists the codes of all error classes', () => {
    expect(codes.map(({ code }) => code)).toEqual(
      [...read('docs/errors.md').matchAll(/^## (\w+)$/gm)].map(([, code]) => code),
    )
  })

  test.each(codes)('$code is thrown somewhere', ({ name }) => {
    expect(sources.some((text) => text.includes(`new ${name}(`))).toBe(true)
  })

  test.each(codes)('$code is provoked by a test of a package that throws it', ({ code, name }) => {
    expect(tests.some((text) => text.includes(`'${code}'`) || text.includes(`(${name})`))).toBe(true)
  })

  test('names every code that a process warning carries', () => {
    const warned = sources.flatMap((text) => [...text.matchAll(/code: '(KVBM_\w+)'/g)].map(([, code]) => code!))
    const warnings = warned.filter((code) => !codes.some((known) => known.code === code))
    expect(warnings).toContain('KVBM_BLOCK_LEAKED')
    const page = read('docs/errors.md')
    expect(warnings.filter((code) => !page.includes(`\`${code}\``))).toEqual([])
  })
})

describe('docs/metrics.md', () => {
  const rows = tableRows(read('docs/metrics.md'), 'metric')

  test('has exactly the metrics of the manager, with type and labels', () => {
    const documented = rows.map(([name, type, labels]) => [name, type, labels])
    expect(documented).toEqual(METRICS.map(({ name, type, labels }) => [name, type, labels.join(', ')]))
  })

  test('names every reason for which a block is dropped', () => {
    const meaning = rows.find(([name]) => name === 'kvbm_dropped_blocks_total')?.[3]
    const reasons = Object.keys(new Counters().edge('host', 'disk').drops)
    expect(meaning?.split(': ')[1]?.split(', ')).toEqual(reasons)
  })
})

test('docs/architecture.md states the bounds that the manager has when it was given none', () => {
  const bounds = tableRows(read('docs/architecture.md'), 'what').map(([, bound]) => bound ?? '')
  for (const [name, value] of Object.entries(DEFAULT_SETTINGS)) {
    const shown = name.endsWith('Ms') ? `${value / 1000} s` : name.endsWith('Bytes') ? `${value / 2 ** 20} MiB` : value
    expect(
      bounds.some((bound) => bound.startsWith(`${name}, ${shown}`)),
      `${name}, ${shown}`,
    ).toBe(true)
  }
})

test.each(house.packages.filter(({ folder }) => !folder.startsWith('native/npm/')))(
  'docs/architecture.md shows the storey of $folder',
  ({ name, folder }) => {
    const storeys = tableRows(read('docs/architecture.md'), 'storey').flatMap(([, packages]) => packages?.split(', '))
    expect(storeys.some((shown) => shown === name || shown === folder)).toBe(true)
  },
)

describe('pages', () => {
  const pages = files.filter((path) => path.endsWith('.md'))

  test.each(pages)('%s leads nowhere that is not there', (page) => {
    const { links, paths } = referencesOf(read(page))
    expect([
      ...links.filter((link) => !leadsSomewhere(page, link)),
      ...paths.filter((path) => !existsSync(join(root, path))),
    ]).toEqual([])
  })
})

describe('every file', () => {
  // Spelled in pieces, so that this file does not find itself.
  test.each([
    [
      'is finished',
      new RegExp(`\\b(${['TO', 'FIX'].map((half) => (half === 'TO' ? `${half}DO` : `${half}ME`)).join('|')})\\b`),
    ],
    ['knows no directory of the machine it was written on', new RegExp(`(?<![\\w.])/${'(home|Users|root|work)'}/\\w`)],
  ])('%s', (_, forbidden) => {
    const texts = files.filter((path) => path !== 'pnpm-lock.yaml')
    expect(texts.filter((path) => forbidden.test(read(path)))).toEqual([])
  })
})

describe('every published package', () => {
  test.each(published.map((own) => [own.folder, own.manifest] as const))('%s says what it is', (folder, manifest) => {
    expect(manifest).toMatchObject({ license: 'Apache-2.0', description: expect.stringMatching(/\w{3}/) })
    expect(read(join(folder, 'README.md'))).toMatch(new RegExp(`^# ${manifest.name}$`, 'm'))
  })

  test.each(published.filter(({ manifest }) => manifest.exports !== undefined).map(({ folder }) => folder))(
    '%s shows in its README how it is used, by a block that runs or says why not',
    (folder) => {
      const blocks = readmeBlocks(join(root, folder, 'README.md'))
      expect(blocks.filter(({ language }) => /^(js|ts)$/.test(language))).not.toEqual([])
    },
  )

  test('is under the licence that lies at the root, whose text packing adds', () => {
    expect(read('LICENSE')).toMatch(/Apache License\s+Version 2\.0/)
  })
})

function leadsSomewhere(page: string, link: string): boolean {
  const [path = '', anchor] = link.split('#')
  const target = path === '' ? page : posix.join(dirname(page), decodeURI(path))
  if (!existsSync(join(root, target))) return false
  return anchor === undefined || anchorsOf(read(target)).includes(anchor)
}

import { resolve } from 'node:path'
import { describe, expect, test } from 'vitest'
import { RULES } from './support/architecture.js'
import { HOUSE } from './support/house-table.js'
import { manifest, plantedHouse, type Tree } from './support/planted-house.js'
import { readHouse } from './support/read-house.js'

describe('the house', () => {
  const house = readHouse(resolve(import.meta.dirname, '..'))

  test.each(Object.entries(RULES))('%s', (_, rule) => {
    expect(rule(house)).toEqual([])
  })

  test('the table is listed bottom up: nobody may import from its own storey or above', () => {
    const rows = Object.keys(HOUSE)
    for (const [name, { mayImport }] of Object.entries(HOUSE)) {
      const below = rows.slice(0, rows.indexOf(name))
      if (mayImport !== 'below') expect(below, name).toEqual(expect.arrayContaining([...mayImport]))
    }
  })
})

describe('a planted violation', () => {
  const pool = (source: string): Tree => ({ 'packages/pool/src/pool.ts': `${source}\nexport const pool = 1\n` })
  const declares = (dependencies: Record<string, string>): Tree => ({
    'packages/pool/package.json': manifest('pool', { '@kvbm/core': 'workspace:^', ...dependencies }),
  })
  const allowed = 'but pool may import only @kvbm/core.'

  test('is not in the sound house', () => {
    expect(violationsOf({})).toEqual([])
  })

  test.each<[what: string, planted: Tree, sentences: string[]]>([
    [
      'a wrong import',
      { ...pool("import '@kvbm/native'"), ...declares({ '@kvbm/native': 'workspace:^' }) },
      [
        `packages/pool/src/pool.ts imports @kvbm/native, ${allowed}`,
        'packages/pool/package.json depends on @kvbm/native, but pool may not import it.',
        'packages/pool/tsconfig.json lacks a reference to native.',
      ],
    ],
    [
      'a wrong import of types only',
      pool("import type { Binding } from '@kvbm/native/testing'"),
      [
        `packages/pool/src/pool.ts imports types of @kvbm/native/testing, ${allowed}`,
        'packages/pool imports @kvbm/native, but does not declare it.',
      ],
    ],
    [
      'a wrong import inside a type',
      pool("export type Binding = import('@kvbm/native').Binding"),
      [
        `packages/pool/src/pool.ts imports types of @kvbm/native, ${allowed}`,
        'packages/pool imports @kvbm/native, but does not declare it.',
      ],
    ],
    [
      'a wrong import that waits',
      pool("export const late = () => import('@kvbm/native')"),
      [
        `packages/pool/src/pool.ts imports @kvbm/native, ${allowed}`,
        'packages/pool imports @kvbm/native, but does not declare it.',
      ],
    ],
    ...[
      "import { createRequire } from 'node:module'\ncreateRequire(import.meta.url)('@kvbm/native')",
      "import * as module from 'node:module'\nmodule.createRequire(import.meta.url)('@kvbm/native')",
      "import { createRequire } from 'node:module'\nconst load = createRequire(import.meta.url)\nload('@kvbm/native')",
      "import { createRequire } from 'node:module'\ncreateRequire(import.meta.url).resolve('@kvbm/native')",
    ].map((source): [string, Tree, string[]] => [
      `a wrong require: ${source.split('\n').slice(1).join('; ')}`,
      pool(source),
      [
        'packages/pool/src/pool.ts imports node:module, but pool is pure: it imports nothing of Node.',
        `packages/pool/src/pool.ts imports @kvbm/native, ${allowed}`,
        'packages/pool imports @kvbm/native, but does not declare it.',
      ],
    ]),
    ...["require('@kvbm/native')", "import native = require('@kvbm/native')"].map(
      (source): [string, Tree, string[]] => [
        `a wrong require of a CommonJS file: ${source}`,
        { ...pool("import './old.cjs'"), 'packages/pool/src/old.cts': source },
        [
          `packages/pool/src/old.cts imports @kvbm/native, ${allowed}`,
          'packages/pool imports @kvbm/native, but does not declare it.',
        ],
      ],
    ),
    [
      'an orphan of another module kind',
      { 'packages/pool/src/orphan.cts': '', 'packages/pool/src/child.mts': '' },
      ['orphan.cts', 'child.mts'].map(
        (name) =>
          `packages/pool/src/${name} is reached from no front door of packages/pool (packages/pool/src/index.ts).`,
      ),
    ],
    [
      'a wrong import that is handed on',
      { 'packages/core/src/word.ts': "export * from 'zod'\nexport const word = 1\n" },
      [
        'packages/core/src/word.ts imports zod, but core may import nothing.',
        'packages/core imports zod, but does not declare it.',
      ],
    ],
    [
      'a dependency that is used and not declared',
      { 'packages/pool/package.json': manifest('pool', {}) },
      [
        'packages/pool imports @kvbm/core, but does not declare it.',
        'packages/pool/tsconfig.json refers to packages/core, which is no dependency of ours.',
      ],
    ],
    [
      'a dependency of others that is not in the table',
      declares({ lodash: '4.17.21' }),
      ['packages/pool/package.json depends on lodash, but pool may not import it.'],
    ],
    [
      'an optional peer that is loaded at start and declared as a dependency',
      {
        'packages/manager/package.json': manifest('manager', { 'prom-client': '15.1.3' }),
        'packages/manager/src/index.ts': "import { type Registry } from 'prom-client'\nexport type { Registry }\n",
      },
      [
        'packages/manager/src/index.ts imports prom-client, which may be missing: use await import().',
        'packages/manager/package.json depends on prom-client, which must be an optional peer.',
      ],
    ],
    [
      'a package that the table does not know',
      { 'packages/attic/package.json': manifest('attic', {}), 'packages/attic/src/index.ts': '' },
      ['packages/attic has no row in test/support/house-table.ts.'],
    ],
    [
      'a package that the root does not build',
      { 'tsconfig.json': { references: [{ path: 'packages/core' }, { path: 'packages/pool' }] } },
      ['tsconfig.json lacks a reference to native.'],
    ],
    [
      'a file system in a pure package',
      pool("import { readFileSync } from 'node:fs'"),
      ['packages/pool/src/pool.ts imports node:fs, but pool is pure: it imports nothing of Node.'],
    ],
    [
      'a path into another package',
      pool("import { word } from '../../core/src/word.js'"),
      ['packages/pool/src/pool.ts imports ../../core/src/word.js, which lies outside packages/pool/src/.'],
    ],
    [
      'a path from a source into the tests',
      pool("import { world } from '../test/world.js'"),
      ['packages/pool/src/pool.ts imports ../test/world.js, which lies outside packages/pool/src/.'],
    ],
    [
      'a circle of files, closed by types only',
      {
        ...pool("import { shelf } from './shelf.js'"),
        'packages/pool/src/shelf.ts': "import type { pool } from './pool.js'\nexport const shelf = 1\n",
      },
      [
        'Files import each other in a circle: packages/pool/src/pool.ts → packages/pool/src/shelf.ts → packages/pool/src/pool.ts.',
      ],
    ],
    [
      'two orphans that know each other but nobody else, one of them used by a test',
      {
        'packages/pool/src/orphan.ts': "import './child.js'\n",
        'packages/pool/src/child.ts': 'export const child = 1\n',
        'packages/pool/test/orphan.test.ts': "import '../src/orphan.js'\n",
      },
      ['orphan', 'child'].map(
        (name) =>
          `packages/pool/src/${name}.ts is reached from no front door of packages/pool (packages/pool/src/index.ts).`,
      ),
    ],
    [
      'an orphan among the helpers of tests',
      { 'packages/pool/test/support/helper.ts': 'export const helper = 1\n' },
      ['packages/pool/test/support/helper.ts is used by no test.'],
    ],
    [
      'Node-API below the addon',
      { 'native/src/copy.cc': '#include "kvbm/engine.h"\n#  include <napi.h>\n' },
      ['native/src/copy.cc includes Node-API, but only native/addon may.'],
    ],
    [
      'a default export',
      { 'packages/pool/src/pool.ts': 'export const pool = 1\nexport default function open() {}\n' },
      ['packages/pool/src/pool.ts has a default export; export it by name.'],
    ],
    [
      'a default export under another name',
      pool('const open = 1\nexport { open as default }'),
      ['packages/pool/src/pool.ts has a default export; export it by name.'],
    ],
  ])('%s', (_, planted, sentences) => {
    expect(violationsOf(planted).sort()).toEqual(sentences.sort())
  })
})

function violationsOf(planted: Tree): string[] {
  using house = plantedHouse(planted)
  const read = readHouse(house.root)
  return Object.values(RULES).flatMap((rule) => rule(read))
}

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

/** Contents by path; data is written as JSON. */
export type Tree = Readonly<Record<string, string | object>>

/** A house of three packages that keeps every rule. */
const SOUND: Tree = {
  'pnpm-workspace.yaml': 'packages:\n  - packages/*\n  - native\n',
  'tsconfig.json': { references: [{ path: 'packages/core' }, { path: 'packages/pool' }, { path: 'native' }] },

  'packages/core/package.json': manifest('core', {}),
  'packages/core/tsconfig.json': {},
  'packages/core/src/index.ts': "export { word } from './word.js'\n",
  'packages/core/src/word.ts': 'export const word = 1\n',

  'packages/pool/package.json': manifest('pool', { '@kvbm/core': 'workspace:^' }),
  'packages/pool/tsconfig.json': { references: [{ path: '../core' }] },
  'packages/pool/src/index.ts': "export { pool } from './pool.js'\n",
  'packages/pool/src/pool.ts': "import { word } from '@kvbm/core'\nexport const pool = word\n",
  'packages/pool/test/pool.test.ts': "import './world.js'\nnew URL('./child.ts', import.meta.url)\n",
  'packages/pool/test/world.ts': 'export const world = 1\n',
  'packages/pool/test/child.ts': 'export const child = 1\n',

  'native/package.json': { ...manifest('native', { '@kvbm/core': 'workspace:^' }), exports: door('lib') },
  'native/tsconfig.json': { references: [{ path: '../packages/core' }] },
  'native/lib/index.ts': "import type { word } from '@kvbm/core'\nexport type Word = typeof word\n",
  'native/addon/addon.cc': '#include <napi.h>\n',
  'native/src/copy.cc': '#include "kvbm/engine.h"\n',
}

/** Writes the sound house with `planted` over it to a temporary directory that ends with its `using`. */
export function plantedHouse(planted: Tree = {}): Disposable & { readonly root: string } {
  const root = mkdtempSync(join(tmpdir(), 'kvbm-house-'))
  for (const [path, content] of Object.entries({ ...SOUND, ...planted })) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), typeof content === 'string' ? content : JSON.stringify(content))
  }
  return { root, [Symbol.dispose]: () => rmSync(root, { recursive: true }) }
}

export function manifest(name: string, dependencies: Readonly<Record<string, string>>) {
  return { name: `@kvbm/${name}`, dependencies, exports: door('src') }
}

function door(folder: string) {
  return { '.': { '@kvbm/source': `./${folder}/index.ts` }, './package.json': './package.json' }
}

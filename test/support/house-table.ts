/** What one package of the house may lean on. Names of ours are written without their scope. */
export interface Row {
  /** Packages of ours that it may import; 'below' stands for all rows above this one, since the house is listed bottom up. */
  readonly mayImport: readonly string[] | 'below'
  /** Packages of others that it may import or declare. */
  readonly external: readonly string[]
  /** Those of them that may be missing at run time: their types may be imported, their values only by `await import()`. */
  readonly optional?: readonly string[]
  /** A pure package imports nothing of Node: no file, no thread, no randomness. Only its testing door may. */
  readonly pure?: boolean
}

/**
 * The storeys of the house, from the ground up. An arrow that is not here is a wall. Rows may stand here before their
 * package does; a package without a row is an error.
 */
export const HOUSE: Readonly<Record<string, Row>> = {
  core: { mayImport: [], external: [], pure: true },
  // The binary alone, one package for each platform.
  'native-linux-x64': { mayImport: [], external: [] },

  config: { mayImport: ['core'], external: ['zod'], pure: true },
  pool: { mayImport: ['core'], external: [], pure: true },
  layout: { mayImport: ['core'], external: [], pure: true },
  // node-addon-api is headers only: a user's own build of the core finds them through native's manifest.
  native: { mayImport: ['core', 'native-linux-x64'], external: ['detect-libc', 'node-addon-api'] },

  tokens: { mayImport: ['core', 'native'], external: ['hash-wasm'] },
  storage: { mayImport: ['core', 'native'], external: [] },

  nixl: { mayImport: ['core', 'native'], external: ['zod'] },

  manager: {
    mayImport: ['core', 'config', 'pool', 'layout', 'native', 'tokens', 'storage', 'nixl'],
    external: ['prom-client', 'cockatiel'],
    optional: ['@kvbm/nixl', 'prom-client'],
  },

  connector: { mayImport: ['core', 'tokens', 'config', 'storage', 'manager'], external: [] },

  // yauzl reads the archives of `@kvbm/node-llama-cpp/models`.
  'node-llama-cpp': { mayImport: ['core', 'connector'], external: ['node-llama-cpp', 'yauzl'] },
  onnxruntime: { mayImport: ['core', 'connector'], external: ['onnxruntime-node'] },

  server: {
    mayImport: ['core', 'connector'],
    external: ['hono', '@hono/node-server', 'zod', 'prom-client'],
    optional: ['prom-client'],
  },
  // The command of packages/cli. Its name has no scope, so that it runs as `npx kvbm`. cmake-js builds the core on a user's machine.
  kvbm: {
    mayImport: 'below',
    external: ['cmake-js', 'node-llama-cpp', 'prom-client'],
    optional: ['@kvbm/node-llama-cpp', '@kvbm/onnxruntime', 'node-llama-cpp', 'prom-client'],
  },

  // Engines are peers of the adapters, so whoever uses an adapter declares its engine.
  demo: { mayImport: 'below', external: ['cli-progress', 'picocolors', 'hono', 'prom-client', 'node-llama-cpp'] },
  bench: { mayImport: 'below', external: ['lru-cache', 'node-llama-cpp', 'onnxruntime-node'] },
  simulation: { mayImport: 'below', external: [] },
  examples: { mayImport: 'below', external: ['node-llama-cpp', 'onnxruntime-node', 'openai'] },
}

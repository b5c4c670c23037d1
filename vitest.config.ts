import { defineConfig } from 'vitest/config'

export default defineConfig({
  // Tests run on the sources of every package; see "exports" in the manifests.
  resolve: { conditions: ['@kvbm/source'] },
  ssr: { resolve: { conditions: ['@kvbm/source'], externalConditions: ['@kvbm/source'] } },
  test: {
    projects: [
      'packages/*',
      'native',
      'apps/*',
      'bench',
      'simulation',
      'examples',
      { extends: true, test: { name: 'house', include: ['test/**/*.test.ts'] } },
    ],
    testTimeout: 60_000,
  },
})

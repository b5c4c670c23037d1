import { defineConfig } from 'vitest/config'

/** How every package runs its tests: on sources, with native code found or the portable twin. */
export function preset(name: string) {
  return defineConfig({
    resolve: { conditions: ['@kvbm/source'] },
    ssr: { resolve: { conditions: ['@kvbm/source'], externalConditions: ['@kvbm/source'] } },
    test: { name, include: ['test/**/*.test.ts'], testTimeout: 60_000 },
  })
}

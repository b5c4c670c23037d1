import type { Options } from 'tsup'

/** How every package makes its JavaScript; declarations come from `tsc -b`, whose memory must go with them. */
export function preset(entry: string[] = ['src/index.ts']): Options {
  return {
    entry,
    format: ['esm'],
    target: 'node20',
    dts: false,
    sourcemap: true,
    clean: ['.tsbuildinfo'],
    skipNodeModulesBundle: true,
  }
}

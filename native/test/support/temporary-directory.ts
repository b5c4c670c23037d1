import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'

/** A fresh directory that disappears after the tests of this scope. */
export function useTemporaryDirectory(): string {
  const path = mkdtempSync(join(tmpdir(), 'kvbm-native-'))
  afterAll(() => rmSync(path, { recursive: true, force: true }))
  return path
}

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A fresh directory of our own that disappears at the end of the scope. */
export class TemporaryDirectory {
  readonly path = mkdtempSync(join(tmpdir(), 'kvbm-storage-'))

  at(...names: string[]): string {
    return join(this.path, ...names)
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}

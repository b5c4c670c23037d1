import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A file system of its own, which a test may fill, take away and bring back. */
export interface SmallFileSystem extends Disposable {
  readonly path: string
  /** Takes it away while files in it are open. */
  detach(): void
  /** Brings the very same one back. */
  attach(): void
  setReadOnly(): void
}

/** Why this machine lets us mount nothing; empty where it does. */
export const whyNoMounts = tryMounting()

export function smallFileSystem(sizeBytes: number): SmallFileSystem {
  const root = mkdtempSync(join(tmpdir(), 'kvbm-mount-'))
  const [real, path] = [join(root, 'real'), join(root, 'seen')]
  execFileSync('mkdir', [real, path])
  mount('-t', 'tmpfs', '-o', `size=${sizeBytes},mode=0700`, 'tmpfs', real)
  const attach = (): void => mount('--bind', real, path)
  attach()
  return {
    path,
    detach: () => unmount(path),
    attach,
    setReadOnly: () => mount('-o', 'remount,bind,ro', path),
    [Symbol.dispose]: () => {
      for (const place of [path, real]) tolerated(() => unmount(place))
      rmSync(root, { recursive: true, force: true })
    },
  }
}

function tryMounting(): string {
  if (process.platform !== 'linux') return 'file systems in memory are mounted on Linux only'
  if (process.getuid?.() !== 0) return 'mounting needs root'
  try {
    smallFileSystem(2 ** 20)[Symbol.dispose]()
    return ''
  } catch (error) {
    return `mounting is not allowed: ${String(error).split('\n')[0]}`
  }
}

function mount(...args: string[]): void {
  execFileSync('mount', args, { stdio: 'pipe' })
}

/** Lazily, as an administrator would take away a disk that is in use. */
function unmount(path: string): void {
  execFileSync('umount', ['-l', path], { stdio: 'pipe' })
}

function tolerated(act: () => void): void {
  try {
    act()
  } catch {
    // It was detached before.
  }
}

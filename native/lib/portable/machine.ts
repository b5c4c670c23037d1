import type { LockHandle, OpenFileOptions } from '../binding.js'

/** An open file. Failures are `StorageIoError` or `StorageFullError`. */
export interface PortableFile {
  size(): Promise<number>
  /** Reads into `target`; returns how many bytes there were before the end of the file. */
  read(target: Uint8Array, offset: number): Promise<number>
  /** The same, but all of `target` or an error. */
  readAll(target: Uint8Array, offset: number): Promise<void>
  write(source: Uint8Array, offset: number): Promise<void>
  /** Makes the range exist; what is there keeps its bytes. */
  reserve(offset: number, length: number): Promise<'allocated' | 'zero-filled' | 'sparse'>
  sync(): Promise<void>
  /** Nobody awaits the end of a file; what was written was reported where it was written. */
  close(): Promise<void>
}

/** What the twin stands on: the operating system, or a simulation of it. */
export interface PortableMachine {
  openFile(options: OpenFileOptions): Promise<PortableFile>
  /** Undefined when another holds the lock. */
  lockFile(path: string): Promise<LockHandle | undefined>
  /** Lets others have a turn, before a job that is not small and between its steps. */
  turn(): Promise<void>
  /** Jobs in memory of up to so many bytes run at once, within `submit`. */
  readonly inlineBytes: number
}

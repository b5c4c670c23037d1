import { lockFile } from './file-lock.js'
import type { PortableMachine } from './machine.js'
import { NodeFile } from './node-file.js'

/** The machine below this process, by way of Node. */
export const nodeMachine: PortableMachine = {
  openFile: (options) => NodeFile.open(options),
  lockFile,
  turn: () => new Promise(setImmediate),
  inlineBytes: 64 * 1024,
}

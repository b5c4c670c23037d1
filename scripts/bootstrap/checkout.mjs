import { fileURLToPath } from 'node:url'

/** The root of this checkout, with a separator at its end. */
export const ROOT = fileURLToPath(new URL('../..', import.meta.url))

/** What the bootstrap installs and remembers; git ignores it. */
export const TOOLS = fileURLToPath(new URL('../../.tools/', import.meta.url))

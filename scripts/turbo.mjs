// turbo as the bootstrap runs it: it calls nobody, and finds the pinned pnpm. `node scripts/turbo.mjs run build`
import { fileURLToPath } from 'node:url'
import { runProgram } from './bootstrap/processes.mjs'

const turbo = fileURLToPath(new URL('../node_modules/turbo/bin/turbo', import.meta.url))
const { code } = await runProgram([turbo, ...process.argv.slice(2)])
process.exitCode = code

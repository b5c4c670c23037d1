import { spawnSync } from 'node:child_process'

/** Said where llama.cpp's own server is not there to be measured beside. */
export function llamaServerNote(): string {
  const { error } = spawnSync('llama-server', ['--version'], { stdio: 'ignore' })
  return error === undefined ? 'llama-server: installed, not measured here' : 'llama-server: not installed, skipped'
}

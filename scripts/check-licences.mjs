// Every package that is there at run time must have a licence known to ask nothing of those who link it: no copyleft.
import { spawnSync } from 'node:child_process'
import { environment } from './bootstrap/processes.mjs'

const PERMISSIVE =
  /^(0BSD|Apache-2\.0|BSD-[23]-Clause|BlueOak-1\.0\.0|CC0-1\.0|ISC|MIT|MIT-0|Python-2\.0|Unlicense|Zlib)$/

const packages = Object.values(listLicences()).flat()
const refused = packages.filter(({ license }) => !isPermissive(license))
for (const { name, versions, license } of refused) {
  console.error(`${name} ${versions.join(', ')}: the licence ${license} is not known to be permissive.`)
}
if (packages.length === 0) console.error('pnpm listed no package: nothing was checked.')
if (refused.length > 0 || packages.length === 0) process.exitCode = 1
else console.log(`${packages.length} packages at run time: ${countsOf(packages.map(({ license }) => license))}`)

function listLicences() {
  const args = ['licenses', 'list', '--prod', '--json']
  const options = { encoding: 'utf8', shell: process.platform === 'win32', env: environment() }
  const { status, stdout, stderr, error } = spawnSync('pnpm', args, options)
  if (status === 0) return JSON.parse(stdout)
  throw new Error(`pnpm licenses list: ${error?.message ?? (stderr.trim() || stdout.trim())}`)
}

/** Of `MIT OR GPL-2.0` one permissive choice is enough. What has AND in it must be permissive word by word. */
function isPermissive(expression) {
  const words = expression.replace(/[()]/g, '').split(/ (?:AND|OR) /)
  const allowed = words.map((word) => PERMISSIVE.test(word))
  return / AND /.test(expression) ? allowed.every(Boolean) : allowed.some(Boolean)
}

function countsOf(words) {
  const counts = new Map()
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1)
  return [...counts].map(([word, count]) => `${word} ${count}`).join(', ')
}

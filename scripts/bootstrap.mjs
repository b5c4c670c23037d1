// The door of a fresh clone: `node scripts/bootstrap.mjs demo|test|bench|simulate [arguments…]` makes ready what is missing, then
// runs it. In this file only syntax that old versions of Node.js understand: they must get as far as the message.
import { readFileSync } from 'node:fs'

const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))
const wanted = manifest.engines.node.replace('>=', '')

if (isOlder(process.versions.node, wanted)) {
  console.error(`kvbm needs Node.js ${wanted} or newer, and this is ${process.versions.node}.`)
  console.error(
    'Install a newer one, from nodejs.org or by your version manager (nvm, fnm, volta), and run this again.',
  )
  process.exitCode = 1
} else {
  import('./bootstrap/main.mjs')
    .then(({ main }) => main(process.argv.slice(2)))
    .catch((error) => {
      console.error(error.message)
      process.exitCode = 1
    })
}

function isOlder(version, than) {
  const [major, minor] = version.split('.').map(Number)
  const [majorMin, minorMin] = than.split('.').map(Number)
  return major < majorMin || (major === majorMin && minor < minorMin)
}

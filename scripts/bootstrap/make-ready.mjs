import { existsSync } from 'node:fs'
import { basename, delimiter, join, relative } from 'node:path'
import { ROOT, TOOLS } from './checkout.mjs'
import { fingerprint } from './fingerprint.mjs'
import { Stamps } from './stamps.mjs'
import { quietStep } from './step.mjs'
import { dependenciesOf, outputsOf, readJson, readMembers, withDependencies } from './workspace.mjs'

const PNPM = join(TOOLS, 'node_modules', 'pnpm')
const TURBO = join(ROOT, 'node_modules', 'turbo', 'bin', 'turbo')
const ADDON = join(ROOT, 'native', 'build', 'Release', 'kvbm.node')
const MACHINE = [process.platform, process.arch]

const NETWORK =
  'Is the npm registry reachable? See `npm ping`, `npm config get proxy` and `npm config get registry`, then run this again.'

/**
 * Installs and builds what the named packages need, all packages where none are named, and only what is not there yet. Gives
 * `{ env }`: what programs of ours are to be started with.
 */
export async function makeReady(names) {
  const members = readMembers(ROOT)
  const stamps = new Stamps(TOOLS)
  await installPnpm()
  await installPackages(stamps, members)
  const native = await buildNativeCore(stamps)
  await buildPackages(stamps, names ? withDependencies(members, names) : members)
  // The portable core was announced here already; programs need not warn of it once more.
  return { env: native ? {} : { KVBM_NATIVE: process.env.KVBM_NATIVE || 'portable' } }
}

/** The pinned version, beside the checkout's own files: nothing of the machine is changed. */
async function installPnpm() {
  const version = readJson(join(ROOT, 'package.json')).packageManager.replace('pnpm@', '')
  if (existsSync(join(PNPM, 'package.json')) && readJson(join(PNPM, 'package.json')).version === version) return
  const quiet = ['--no-audit', '--no-fund', '--no-update-notifier', '--loglevel=error']
  const args = ['install', '--prefix', relative(ROOT, TOOLS), '--save-exact', ...quiet, `pnpm@${version}`]
  await quietStep({
    title: `Installing pnpm ${version} into .tools`,
    name: 'pnpm',
    ...npmCommand(args),
    remedy: (log) => (log.some((line) => line.includes('ENOENT')) ? 'Is npm there? It comes with Node.js.' : NETWORK),
  })
}

/** npm names its own program to what it runs; on Windows that saves a shell. */
function npmCommand(args) {
  // biome-ignore lint/suspicious/noUndeclaredEnvVars: this runs before turbo does.
  const program = process.env.npm_execpath
  if (program !== undefined && basename(program) === 'npm-cli.js') return { args: [program, ...args] }
  return { command: process.platform === 'win32' ? 'npm.cmd' : 'npm', args }
}

async function installPackages(stamps, members) {
  const manifests = members.map(({ folder }) => `${folder}/package.json`)
  const wanted = fingerprint(ROOT, ['package.json', 'pnpm-lock.yaml', 'pnpm-workspace.yaml', ...manifests], MACHINE)
  const folders = members.filter(({ manifest }) => dependenciesOf(manifest).length > 0).map(({ folder }) => folder)
  const installed = ['.', ...folders].every((folder) => existsSync(join(ROOT, folder, 'node_modules')))
  if (installed && stamps.get('packages') === wanted) return
  // Every flag undoes something that a machine may have set: NODE_ENV=production, a store elsewhere, a prompt.
  const flags = ['--frozen-lockfile', '--prefer-offline', '--prod=false', '--config.confirm-modules-purge=false']
  await stamps.around('packages', async () => {
    await quietStep({
      title: 'Installing packages',
      name: 'packages',
      args: [join(PNPM, 'bin', 'pnpm.cjs'), 'install', ...flags, '--reporter=append-only'],
      remedy: (log) =>
        log.some((line) => line.includes('ERR_PNPM_OUTDATED_LOCKFILE'))
          ? 'A package.json was changed: run `pnpm install` and keep the new pnpm-lock.yaml.'
          : NETWORK,
    })
    return wanted
  })
}

/** Gives whether there is a native core now. Where it cannot be built, one message says why, what it costs, and the cure. */
async function buildNativeCore(stamps) {
  if (process.env.KVBM_SKIP_NATIVE_BUILD === '1') return existsSync(ADDON)
  const sources = ['CMakeLists.txt', 'include', 'src', 'addon', 'scripts', 'package.json'].map(
    (path) => `native/${path}`,
  )
  const wanted = fingerprint(ROOT, sources, [...MACHINE, process.env.CXX, ...toolchainOnPath()])
  const known = stamps.get('native')
  if (known?.from !== wanted || (known.instead === undefined && !existsSync(ADDON))) {
    await stamps.around('native', async () => ({ from: wanted, instead: await tryToBuildNativeCore() }))
  }
  const { instead } = stamps.get('native')
  if (instead !== undefined) console.error(instead)
  return instead === undefined
}

/** Gives undefined, or the words that say why there is none. */
async function tryToBuildNativeCore() {
  const log = await quietStep({
    title: 'Native core in C++ (compiling takes about a minute, once)',
    name: 'native',
    args: [join(ROOT, 'native', 'scripts', 'build.mjs')],
    remedy: () => 'KVBM_NATIVE=required wants it; without that the portable core is used.',
  })
  return existsSync(ADDON) ? undefined : log.join('\n')
}

/** Where the tools of a build lie. Nothing is run: it is asked at every start, and a tool that comes or goes changes it. */
function toolchainOnPath() {
  const folders = (process.env.PATH ?? '').split(delimiter)
  const suffix = process.platform === 'win32' ? '.exe' : ''
  return ['cmake', 'c++', 'g++', 'clang++', 'make', 'ninja'].map((tool) =>
    folders.map((folder) => join(folder, tool + suffix)).find((path) => existsSync(path)),
  )
}

async function buildPackages(stamps, members) {
  const built = members.filter((member) => outputsOf(member).length > 0)
  const shared = ['package.json', 'pnpm-lock.yaml', 'turbo.json', 'tsconfig.base.json', 'tsup.preset.ts']
  const wanted = built.map(({ folder }) => [folder, fingerprint(ROOT, [folder, ...shared])])
  const known = stamps.get('dist') ?? {}
  const complete = built.flatMap(outputsOf).every((file) => existsSync(join(ROOT, file)))
  if (complete && wanted.every(([folder, print]) => known[folder] === print)) return
  await stamps.around('dist', async () => {
    await runTurbo(built)
    return { ...known, ...Object.fromEntries(wanted) }
  })
}

async function runTurbo(members) {
  const filters = members.map(({ manifest }) => `--filter=${manifest.name}`)
  let done = 0
  await quietStep({
    title: `Building ${members.length} packages`,
    name: 'build',
    args: [TURBO, 'run', 'build', ...filters, '--ui=stream', '--log-order=grouped', '--output-logs=full'],
    // The native core has had its own step.
    env: { KVBM_SKIP_NATIVE_BUILD: '1' },
    status: (line) => {
      if (!/: cache (hit|miss|bypass)/.test(line)) return undefined
      done += 1
      return `${done} of ${members.length}`
    },
    tail: linesOfFailedTask,
    remedy: () => 'If a clean start is wanted: remove .turbo, .tools and node_modules, and run this again.',
  })
}

/** With grouped output the failure is somewhere in the middle; turbo names the task at the end. */
function linesOfFailedTask(log) {
  const task = log.map((line) => /Failed:\s+(\S+)#(\S+)/.exec(line)).find((match) => match !== null)
  const own = task ? log.filter((line) => line.startsWith(`${task[1]}:${task[2]}: `)) : []
  return (own.length > 0 ? own : log).slice(-30)
}

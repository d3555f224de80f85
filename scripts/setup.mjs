// Runs before every npm script, under whatever Node the machine has (20 is enough): installs the packages
// of the lockfile, with Node 24 among them, when they are missing or others than the lockfile's.
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
// npm takes it away with the directory that it is in.
const stamp = `${root}node_modules/.imgpipe-setup`
const lockDirectory = `${root}.imgpipe`
const lock = `${lockDirectory}/setup.pid`
const sayMilliseconds = 15_000

if (!isSetUp()) await withLock(setUp)

function isSetUp() {
  return isCurrent() && existsSync(stamp)
}

async function setUp() {
  if (isSetUp()) return
  if (!isCurrent()) await install()
  await buildNotifier()
  writeFileSync(stamp, '')
  console.log('Set up.\n')
}

/** npm writes down in node_modules what it has installed, last of all; optional packages may be for other machines. */
function isCurrent() {
  try {
    const wanted = packagesOf(`${root}package-lock.json`)
    const installed = packagesOf(`${root}node_modules/.package-lock.json`)
    return Object.entries(wanted).every(
      ([path, { version, optional }]) => path === '' || optional || installed[path]?.version === version,
    )
  } catch {
    return false
  }
}

function packagesOf(lockfile) {
  return JSON.parse(readFileSync(lockfile, 'utf8')).packages
}

/** `npm ci` takes node_modules away before it fills it: two at a time would take it from each other. */
async function withLock(work) {
  for (let isTold = false; !takeLock(); isTold = true) {
    if (!isTold) console.log('Another command is setting up: waiting until it is done …')
    await delay(500)
  }
  const release = () => rmSync(lock, { force: true })
  process.on('exit', release)
  await work()
  release()
}

function takeLock() {
  try {
    mkdirSync(lockDirectory, { recursive: true })
    writeFileSync(lock, String(process.pid), { flag: 'wx' })
    return true
  } catch (error) {
    if (error.code !== 'EEXIST')
      fail(`${lock} cannot be written (${error.code}): use a directory of your own.`)
    if (!isAlive(lockHolder())) rmSync(lock, { force: true })
    return false
  }
}

function lockHolder() {
  try {
    return Number(readFileSync(lock, 'utf8'))
  } catch {
    return 0
  }
}

function isAlive(pid) {
  // Written a moment after it was made: an empty one is just being taken.
  if (pid === 0) return true
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error.code === 'EPERM'
  }
}

async function install() {
  console.log('Setting up: installing the packages of package-lock.json (about a minute, once) …')
  const begin = Date.now()
  const timer = setInterval(() => {
    console.log(`  … still installing (${Math.round((Date.now() - begin) / 1000)} s)`)
  }, sayMilliseconds)
  const { status, said } = await npm(['ci', '--loglevel=error', '--no-audit', '--no-fund'])
  clearInterval(timer)
  if (status !== 0)
    fail(`${said}\nSetting up failed: "npm ci" ended with ${status}; what it said is above. Try again.`)
}

// sd-notify loads only in the Node that it was built for, and `npm ci` builds it for whatever Node's headers it
// finds. It is optional here (only under systemd is it needed), so it may fail in silence.
async function buildNotifier() {
  const headers = `${root}node_modules/node/node_modules/node-${process.platform}-${process.arch}`
  if (!existsSync(`${headers}/include`) || !existsSync(`${root}node_modules/sd-notify`)) return
  const PATH = `${root}node_modules/.bin:${process.env.PATH}`
  await npm(['rebuild', 'sd-notify'], { PATH, npm_package_config_node_gyp_nodedir: headers })
}

function npm(args, environment = {}) {
  const env = { ...process.env, ...environment }
  const child = spawn('npm', args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (said += text))
  return new Promise((resolve) => {
    child.once('error', ({ code }) => resolve({ status: code, said: 'npm cannot be started.' }))
    child.once('close', (code, signal) =>
      resolve({ status: code === 0 ? 0 : (signal ?? `status ${code}`), said }),
    )
  })
}

function fail(sentence) {
  console.error(sentence)
  process.exit(1)
}

// Runs before every npm script, under whatever Node the machine has (20 is enough): installs the packages
// of the lockfile, with Node 24 among them, when they are missing or older than the lockfile.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const lockfile = `${root}package-lock.json`
const stamp = `${root}node_modules/.imgpipe-setup`

if (!isCurrent()) install()

function isCurrent() {
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === lockfileVersion()
}

function lockfileVersion() {
  const { size, mtimeMs } = statSync(lockfile)
  return `${size} ${mtimeMs}\n`
}

function install() {
  console.log('Setting up: installing the packages of package-lock.json (about a minute, once) …')
  const { status, stdout, stderr } = spawnSync('npm', ['ci', '--loglevel=error', '--no-audit', '--no-fund'], {
    cwd: root,
    encoding: 'utf8',
  })
  if (status !== 0) {
    console.error(
      `${stdout}${stderr}\nSetting up failed: "npm ci" ended with status ${status}; what it said is above.`,
    )
    process.exit(1)
  }
  buildNotifier()
  writeFileSync(stamp, lockfileVersion())
  console.log('Set up.')
}

// sd-notify loads only in the Node that it was built for, and `npm ci` builds it for whatever Node's headers it
// finds. It is optional here (only under systemd is it needed), so it may fail in silence.
function buildNotifier() {
  const headers = `${root}node_modules/node/node_modules/node-${process.platform}-${process.arch}`
  if (!existsSync(`${headers}/include`) || !existsSync(`${root}node_modules/sd-notify`)) return
  const PATH = `${root}node_modules/.bin:${process.env.PATH}`
  const env = { ...process.env, PATH, npm_package_config_node_gyp_nodedir: headers }
  spawnSync('npm', ['rebuild', 'sd-notify'], { cwd: root, env })
}

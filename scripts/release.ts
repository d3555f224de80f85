// "npm run release [-- DIRECTORY]" writes to dist: imgpipe-VERSION-linux-ARCH.tar.gz, which holds the program, its production
// packages with the native addon built, and the Node that the addon was built for, so that deploy/install.sh needs neither
// network nor compiler nor npm; its SHA-256 file; and an SBOM (CycloneDX). The same commit gives the same bytes, as long as
// the compiler is the same.
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
/** What deploy/install.sh takes from a checkout (`release_parts`), and the licence. */
const parts = ['src', 'config', 'deploy', 'docs', 'package.json', 'package-lock.json', 'LICENSE']
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
const nodeVersion = process.versions.node
const platform = `linux-${process.arch}`
const name = `imgpipe-${version}-${platform}`
/** The package of the registry that holds Node with its headers and its licence. */
const nodePackage = join(root, `node_modules/node/node_modules/node-${platform}`)

interface Sbom {
  serialNumber?: string
  metadata: {
    timestamp: string
    lifecycles: { phase: string }[]
    component: { type: string; name: string; 'bom-ref': string }
  }
  components: object[]
  dependencies: { ref: string; dependsOn: string[] }[]
}

if (import.meta.main) makeRelease(resolve(process.argv[2] ?? join(root, 'dist')))

/** Writes the release to a directory. @throws with what a command printed, when one fails */
function makeRelease(directory: string): void {
  if (process.platform !== 'linux')
    throw new Error('A release is built on Linux, for the processor that it is built on.')
  const work = mkdtempSync(join(tmpdir(), 'imgpipe-release-'))
  try {
    const staged = join(work, name)
    copySources(staged)
    installPackages(staged)
    buildAddon(staged)
    const sbom = createSbom(staged)
    writeFileSync(join(staged, 'sbom.cdx.json'), sbom)
    const node = addNode(staged)
    run(node, ['--eval', "require('sd-notify')"], staged)
    run(node, ['src/cli.ts', '--version'], staged)

    mkdirSync(directory, { recursive: true })
    const archive = join(directory, `${name}.tar.gz`)
    pack(work, archive)
    const hash = createHash('sha256').update(readFileSync(archive)).digest('hex')
    writeFileSync(`${archive}.sha256`, `${hash}  ${name}.tar.gz\n`)
    writeFileSync(join(directory, `${name}.cdx.json`), sbom)
    console.log(
      `${archive} (${Math.round(statSync(archive).size / 1e6)} MB, Node ${nodeVersion})\nSHA-256 ${hash}`,
    )
  } finally {
    rmSync(work, { recursive: true, force: true })
  }
}

/** Only what Git knows, or would add: no file that merely lies about. */
function copySources(staged: string): void {
  const changed = git('status', '--porcelain', '--', ...parts)
  if (changed !== '')
    console.warn(`Not for publication, because it has changes that are not committed:\n${changed}`)
  const listed = git('ls-files', '-z', '--cached', '--others', '--exclude-standard', '--', ...parts).split(
    '\0',
  )
  for (const path of listed.filter((path) => path !== '' && existsSync(join(root, path)))) {
    mkdirSync(dirname(join(staged, path)), { recursive: true })
    copyFileSync(join(root, path), join(staged, path))
  }
}

/** npm compares every package with the integrity in the lockfile. */
function installPackages(staged: string): void {
  npm(staged, [
    'ci',
    '--omit=dev',
    '--ignore-scripts',
    '--prefer-offline',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
  ])
}

/** No other package may run a script. */
function buildAddon(staged: string): void {
  npm(staged, ['rebuild', 'sd-notify', '--ignore-scripts=false', '--foreground-scripts'], {
    npm_package_config_node_gyp_nodedir: nodePackage,
  })
  const build = join(staged, 'node_modules/sd-notify/build')
  const addon = readFileSync(join(build, 'Release/notify.node'))
  rmSync(build, { recursive: true })
  mkdirSync(join(build, 'Release'), { recursive: true })
  writeFileSync(join(build, 'Release/notify.node'), addon, { mode: 0o755 })
}

/** npm's own SBOM of what is installed, with Node, and without what differs from one call to the next. */
function createSbom(staged: string): string {
  const manifest = join(staged, 'package.json')
  const original = readFileSync(manifest, 'utf8')
  // npm would miss the development packages, and --omit=dev leaves out packages that they share with the program.
  writeFileSync(manifest, JSON.stringify({ ...JSON.parse(original), devDependencies: undefined }))
  const sbom = JSON.parse(npm(staged, ['sbom', '--sbom-format=cyclonedx'])) as Sbom
  writeFileSync(manifest, original)
  delete sbom.serialNumber
  const { metadata, components, dependencies } = sbom
  metadata.timestamp = new Date(commitSeconds() * 1000).toISOString()
  metadata.lifecycles = [{ phase: 'build' }]
  Object.assign(metadata.component, { type: 'application', name: 'imgpipe' })
  const ref = `node@${nodeVersion}`
  components.push({
    'bom-ref': ref,
    type: 'platform',
    name: 'node',
    version: nodeVersion,
    purl: `pkg:npm/node-${platform}@${nodeVersion}`,
    cpe: `cpe:2.3:a:nodejs:node.js:${nodeVersion}:*:*:*:*:*:*:*`,
  })
  dependencies.find((entry) => entry.ref === metadata.component['bom-ref'])?.dependsOn.push(ref)
  dependencies.push({ ref, dependsOn: [] })
  return `${JSON.stringify(sbom, undefined, 2)}\n`
}

/** @returns the path of the binary, in a directory whose name tells deploy/install.sh for which processor it is */
function addNode(staged: string): string {
  const directory = join(staged, `node-v${nodeVersion}-${platform}`)
  mkdirSync(join(directory, 'bin'), { recursive: true })
  cpSync(process.execPath, join(directory, 'bin/node'))
  copyFileSync(join(nodePackage, 'LICENSE'), join(directory, 'LICENSE'))
  return join(directory, 'bin/node')
}

function pack(work: string, archive: string): void {
  const same = [
    '--sort=name',
    '--format=gnu',
    '--owner=0',
    '--group=0',
    '--numeric-owner',
    '--mode=u=rwX,go=rX',
  ]
  const options = [...same, `--mtime=@${commitSeconds()}`, '--use-compress-program=gzip -n']
  run('tar', ['--create', ...options, `--file=${archive}`, `--directory=${work}`, ...readdirSync(work)], work)
}

function commitSeconds(): number {
  return Number(process.env.SOURCE_DATE_EPOCH ?? git('log', '-1', '--format=%ct'))
}

function git(...args: string[]): string {
  return run('git', args, root).trimEnd()
}

/** npm under the Node of the release, whatever other one the machine has. */
function npm(staged: string, args: readonly string[], environment: object = {}): string {
  const PATH = `${dirname(process.execPath)}:${process.env.PATH}`
  return run('npm', [...args, '--prefix', staged], staged, { PATH, ...environment })
}

/** @returns what it prints */
function run(program: string, args: readonly string[], cwd: string, environment: object = {}): string {
  const env = { ...process.env, ...environment }
  return execFileSync(program, args, {
    cwd,
    env,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

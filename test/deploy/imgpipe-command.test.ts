import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, readFileSync, renameSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { canRunAsNobody } from '../state/script.ts'
import { InstalledHost } from '../support/installed-host.ts'
import { project } from './command.ts'

const isPossible = process.getuid?.() === 0 && canRunAsNobody()

let host: InstalledHost
let command: string

/** deploy/imgpipe.sh with the paths of the host and its user, and a Node that prints what it was given. */
beforeEach(() => {
  host = new InstalledHost()
  const script = readFileSync(`${project}deploy/imgpipe.sh`, 'utf8')
    .replaceAll(/=(\/(?:etc|var|opt)\/)/g, `=${host.root}$1`)
    .replace('IMGPIPE_HOST_ROOT=/', `IMGPIPE_HOST_ROOT=${host.root}`)
    .replace('user=imgpipe', `user=${InstalledHost.imgpipe}`)
    .replace('--init-groups', '--clear-groups')
  command = host.write('usr/local/bin/imgpipe', script, { mode: 0o755 })
  node('printf "%s\\n" "$(id -u)" "$*"; env')
})
afterEach(() => host.remove())

function node(lines: string): void {
  host.write('opt/imgpipe/current/bin/node', `#!/bin/sh\n${lines}\n`, { mode: 0o755 })
}

function start(words: readonly string[], environment: object = {}, uid = 0) {
  return spawn(command, words, {
    uid,
    gid: uid,
    env: { PATH: process.env.PATH, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

async function run(words: readonly string[], environment: object = {}, uid = 0) {
  const child = start(words, environment, uid)
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (said += chunk))
  const [code] = await once(child, 'close')
  const lines = said.trimEnd().split('\n')
  const value = (name: string) => lines.find((line) => line.startsWith(`${name}=`))?.slice(name.length + 1)
  return { code, said, user: Number(lines[0]), value }
}

describe.runIf(isPossible)('the installed command (as root)', () => {
  test.each<[string[], number]>([
    [['detect'], InstalledHost.imgpipe],
    [['read', '--once'], InstalledHost.imgpipe],
    [['plan'], InstalledHost.imgpipe],
    [['--config', 'read.json', 'detect', '--all'], InstalledHost.imgpipe],
    [['--pipeline=second', 'read'], InstalledHost.imgpipe],
    [['status'], 0],
    [['--config', 'detect', 'status'], 0],
    [['credentials', '--from', 'read'], 0],
    [['doctor'], 0],
    [[], 0],
  ])('%o runs as user %s', async (words, user) => {
    const ended = await run(words)
    expect(ended.user, ended.said).toBe(user)
    expect(ended.said.split('\n')[1]).toBe(
      [join(host.root, 'opt/imgpipe/current/src/cli.ts'), ...words].join(' '),
    )
  })

  test('a worker is started from the release itself: an upgrade can see that it is in use', async () => {
    renameSync(join(host.root, 'opt/imgpipe/current'), join(host.root, 'opt/imgpipe/1.0.0'))
    symlinkSync(join(host.root, 'opt/imgpipe/1.0.0'), join(host.root, 'opt/imgpipe/current'))
    const { said } = await run(['detect'])
    expect(said.split('\n')[1]).toBe(`${join(host.root, 'opt/imgpipe/1.0.0/src/cli.ts')} detect`)
  })

  test('workers of others stay theirs', async () => {
    expect((await run(['detect'], {}, InstalledHost.admin)).user).toBe(InstalledHost.admin)
  })

  test("a worker's own exit code, and its graceful shutdown, are those of the command", async () => {
    node('trap "sleep 3; exit 75" TERM; echo ready; while :; do sleep 0.1; done')
    const child = start(['detect'])
    onTestFinished(() => void child.kill('SIGKILL'))
    const lines = createInterface({ input: child.stdout })
    await Promise.race([once(lines, 'line'), once(child, 'exit')])
    child.kill('SIGTERM')
    const [code, signal] = await once(child, 'exit')
    expect({ code, signal }).toEqual({ code: 75, signal: null })
  })

  test('the credentials of the units are named, whether this user can read them or not', async () => {
    const { value } = await run(['status'], {}, InstalledHost.admin)
    expect(value('AWS_SHARED_CREDENTIALS_FILE')).toBe(host.credentialsFile)
    expect(value('AWS_CONFIG_FILE')).toBe(join(host.root, 'etc/imgpipe/aws-config'))
    expect(value('IMGPIPE_HOST_ROOT')).toBe(host.root)
    expect((await run(['status'], { AWS_CONFIG_FILE: '/mine' })).value('AWS_CONFIG_FILE')).toBe('/mine')
  })

  test('the file of the environment is read as systemd reads it', async () => {
    const lines = [
      '# a comment',
      '  INDENTED=1',
      'BASE64=abc=',
      'QUOTED="two words"',
      "SINGLE='x'",
      'HALF="x',
      'export IGNORED=1',
      'no assignment',
      'WINDOWS=1\r',
      'CALLER=file',
      'LAST=1',
    ]
    host.write('etc/imgpipe/imgpipe.env', lines.join('\n'))
    const { value, said } = await run(['status'], { CALLER: 'caller' })
    const names = ['INDENTED', 'BASE64', 'QUOTED', 'SINGLE', 'HALF', 'IGNORED', 'WINDOWS', 'CALLER', 'LAST']
    expect(
      names.map((name) => value(name)),
      said,
    ).toEqual(['1', 'abc=', 'two words', 'x', '"x', undefined, '1', 'caller', '1'])
  })

  test('a file of the environment that this user cannot read is not ignored in silence', async () => {
    chmodSync(host.write('etc/imgpipe/imgpipe.env', 'A=1\n'), 0o600)
    const sentence = /imgpipe\.env cannot be read by you and is ignored: use sudo\./
    expect((await run(['status'], {}, InstalledHost.admin)).said).toMatch(sentence)
    expect((await run(['doctor'], {}, InstalledHost.admin)).said).not.toMatch(sentence)
    expect((await run(['detect'])).value('A')).toBe('1')
  })
})

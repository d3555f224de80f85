import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { TestCloud } from './support/cloud.ts'
import { must, type Outcome, until } from './support/command.ts'
import { documented, documentedCommands } from './support/documented.ts'
import { configure } from './support/host.ts'
import { Machine } from './support/machine.ts'
import { resultsOf } from './support/results.ts'
import { SocketLine } from './support/socket-line.ts'

/**
 * docs/operations.md, carried out word by word on two freshly booted hosts without any network, compiler or npm, from a release
 * archive. Only their way to the test's cloud leads out of them. The tests build on each other.
 */
const project = fileURLToPath(new URL('../..', import.meta.url))
let cloud: TestCloud
let line: SocketLine
let a: Machine
let b: Machine

beforeAll(async () => {
  cloud = await TestCloud.start()
  line = await SocketLine.open(cloud.gate.url)
  const options = { binds: [SocketLine.bind], isOffline: true }
  ;[a, b] = await Promise.all([
    Machine.boot('imgpipe-offline-a', options),
    Machine.boot('imgpipe-offline-b', options),
  ])
  const release = await mkdtemp(join(tmpdir(), 'imgpipe-release-'))
  await must(process.execPath, [join(project, 'scripts/release.ts'), release])
  const name = `imgpipe-1.0.0-linux-${process.arch}.tar.gz`
  for (const machine of [a, b]) {
    await line.connect(machine)
    await machine.copyIn(release, [name, `${name}.sha256`], '/root')
    // A bare Debian has neither; these tests are root already, and their editor has one text.
    await machine.write(
      '/usr/local/bin/sudo',
      '#!/bin/sh\n[ "$1" != --non-interactive ] || shift\nexec "$@"\n',
      '0755',
    )
    await machine.write('/usr/local/bin/sudoedit', '#!/bin/sh\nexec cp /root/edited "$1"\n', '0755')
  }
  await rm(release, { recursive: true })
})

afterAll(async () => {
  await Promise.all([a?.stop(), b?.stop()])
  await line?.close()
  await cloud?.stop()
})

/** Carries out a block of the page on a host, for the processor of this machine and for what a placeholder stands for. */
function followed(host: 'A' | 'B', heading: string, block = 0, placeholders: Record<string, string> = {}) {
  let script = ['set -e', ...documentedCommands(heading, host, block)].join('\n')
  script = script.replaceAll('linux-x64', `linux-${process.arch}`)
  for (const [name, value] of Object.entries(placeholders)) script = script.replaceAll(name, value)
  return (host === 'A' ? a : b).try(script)
}

function succeeded({ status, stdout, stderr }: Outcome): string {
  expect(status, stdout + stderr).toBe(0)
  return stdout
}

const keysOf = (id: string) =>
  `[default]\naws_access_key_id=${id}\naws_secret_access_key=s\naws_session_token=t\n`

describe('installation', () => {
  test('both hosts have no network, no npm and no compiler', async () => {
    for (const machine of [a, b]) {
      expect(await machine.sh('tail --lines=+3 /proc/net/dev')).toMatch(/^ *lo:.*\n$/)
      for (const command of ['npm', 'node', 'cc', 'g++', 'make'])
        expect((await machine.try(`command -v ${command}`)).status, command).toBe(1)
    }
  })

  test('the archive is checked, unpacked and installed', async () => {
    expect(succeeded(await followed('A', 'Install on two hosts'))).toMatch(
      /\.tar\.gz: OK\n[\s\S]*role detector/,
    )
    const onB = succeeded(await followed('B', 'Install on two hosts'))
    expect(onB).toMatch(/not ready yet[\s\S]*sudo imgpipe credentials[\s\S]*sudo imgpipe doctor/)
    expect(await a.sh('readlink /opt/imgpipe/current/bin/node')).toMatch(/^\/opt\/imgpipe\/node\//)
    for (const machine of [a, b]) expect((await machine.try('command -v npm cc')).status).toBe(1)
  })

  test('settings are edited', async () => {
    for (const [host, machine] of [
      ['A', a],
      ['B', b],
    ] as const) {
      await configure(machine, cloud, {})
      await machine.sh('mv /etc/imgpipe/imgpipe.json edited')
      succeeded(await followed(host, 'Install on two hosts', 2))
    }
  })

  test('expired keys are refused, valid ones are installed from a paste or a file', async () => {
    const [paste = '', fromFile = ''] = documentedCommands('Credentials', 'A')
    cloud.gate.expire('EXPIRED')
    await a.write('/root/pasted', keysOf('EXPIRED'))
    const refused = await a.try(`${paste} <pasted`.replace(/#.*</, '<'))
    expect([refused.status, refused.stderr]).toEqual([
      77,
      expect.stringMatching(/Nothing was installed.*expired/),
    ])
    await a.write('/root/pasted', keysOf('PASTED'))
    expect(await a.sh(`${paste} <pasted`.replace(/#.*</, '<'))).toMatch(/accepted by AWS/)
    await b.write('/root/.aws/credentials', keysOf('FILE'))
    expect(await b.sh(fromFile)).toMatch(/accepted by AWS/)
  })

  test('the queue is there, every check passes, and the reader starts', async () => {
    await a.sh(documented('sudo imgpipe setup'))
    expect(succeeded(await followed('B', 'Install on two hosts', 3))).not.toMatch(/FAIL/)
    expect(succeeded(await followed('A', 'Install on two hosts', 3))).toMatch(/not resumed at boot/)
    expect(await b.property('imgpipe-reader', 'ActiveState')).toBe('active')
  })
})

describe('operation', () => {
  test('the first run has its results on B', async () => {
    const lines = await cloud.upload('', 6)
    expect(succeeded(await followed('A', 'Install on two hosts', 4))).toMatch(/\$/)
    expect(await resultsOf(b, '')).toEqual(lines)
    succeeded(await followed('B', 'Install on two hosts', 4))
  })

  test('the timer and the resume unit are enabled without starting a run', async () => {
    await a.sh(documented('sudo systemctl enable --now imgpipe-detector.timer'))
    await a.sh(documented('sudo systemctl enable imgpipe-detector-resume'))
    expect(await a.property('imgpipe-detector', 'ActiveState')).toBe('inactive')
    expect(await a.sh(documented('sudo imgpipe doctor'))).toMatch(/is resumed at boot/)
  })

  test('a wrong mode of the credentials file is named, and installing them again corrects it', async () => {
    await b.sh('chmod 0600 /etc/imgpipe/credentials')
    const { status, stdout } = await b.try('sudo imgpipe doctor')
    expect(status).toBe(77)
    expect(stdout).toMatch(/FAIL.*credentials.*sudo imgpipe credentials/)
    await b.sh(documentedCommands('Credentials', 'B')[1] ?? '')
    await b.sh('sudo imgpipe doctor')
  })

  test('a further pipeline has its own queue and results', async () => {
    const settings = JSON.stringify({ ...cloud.names, queue: cloud.secondQueue })
    for (const machine of [a, b]) await machine.write('/etc/imgpipe/second.json', settings)
    succeeded(await followed('B', 'Further pipelines', 0, { NAME: 'second' }).then(ignoreResults))
    succeeded(await followed('A', 'Further pipelines', 0, { NAME: 'second' }))
    expect(await resultsOf(b, '', '/var/lib/imgpipe/second')).toEqual(await resultsOf(b, ''))
    await b.sh(documented('sudo imgpipe doctor --pipeline NAME').replace('NAME', 'second'))
    await b.sh('systemctl disable --now imgpipe-reader@second')
  })

  test('a unit that fails calls the hook of the example', async () => {
    succeeded(await followed('A', 'Get notified of failures'))
    await a.write('/etc/imgpipe/on-failure', '#!/bin/sh\necho "$1 $MONITOR_EXIT_STATUS" >&2\n', '0755')
    await a.sh("sed --in-place 's/bucket/bukcet/' /etc/imgpipe/imgpipe.json")
    expect((await a.try('systemctl start imgpipe-detector')).status).toBe(1)
    await until('the hook was called', async () =>
      /imgpipe-detector\.service 78/.test(await a.sh('journalctl --output=cat --unit="imgpipe-failure@*"')),
    )
  })

  test('an upgrade with a typo in the settings is refused before anything is switched', async () => {
    const installer = 'cd imgpipe-1.0.0-linux-*/ && echo // >>src/cli.ts && sudo deploy/install.sh'
    const { status, stderr } = await a.try(installer)
    expect([status, stderr]).toEqual([1, expect.stringMatching(/bukcet[\s\S]*nothing was switched/)])
    await a.sh('cp edited /etc/imgpipe/imgpipe.json && cd imgpipe-1.0.0-linux-*/ && sudo deploy/install.sh')
    const inUse = () => a.sh('readlink /opt/imgpipe/current')
    const upgraded = await inUse()
    await a.sh(documented('sudo /opt/imgpipe/current/deploy/install.sh --rollback'))
    expect(await inUse()).not.toBe(upgraded)
  })

  test('a backup is made with the workers stopped', async () => {
    succeeded(await followed('A', 'Back up and restore'))
    succeeded(await followed('B', 'Back up and restore'))
    expect(await b.sh('tar --list --file /root/imgpipe-backup.tar.gz')).toMatch(/results\.txt/)
    expect(await b.property('imgpipe-reader', 'ActiveState')).toBe('active')
  })

  test('a corrupt database is moved away, and the reader recovers', async () => {
    await b.sh('systemctl stop imgpipe-reader && echo garbage >/var/lib/imgpipe/reader.sqlite')
    expect((await b.try('sudo imgpipe doctor')).stdout).toMatch(/FAIL.*reader\.sqlite/)
    succeeded(await followed('B', 'A corrupt database'))
    expect(await b.property('imgpipe-reader', 'ActiveState')).toBe('active')
  })
})

test('everything is removed', async () => {
  for (const machine of [a, b])
    await machine.sh(documented('sudo /opt/imgpipe/current/deploy/install.sh --purge'))
  expect((await b.try('ls /etc/imgpipe /var/lib/imgpipe /opt/imgpipe')).status).toBe(2)
})

/** Of the block for B the last line, which reads results that only the run on A brings, may fail. */
function ignoreResults(outcome: Outcome): Outcome {
  return /No such file/.test(outcome.stderr) ? { ...outcome, status: 0 } : outcome
}

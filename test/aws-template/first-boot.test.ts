import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { loadSettings } from '../../src/config/settings.ts'
import { FreshInstance, userDataOf } from './first-boot.ts'
import { stackOf } from './stack.ts'

const packages = 'dnf --assumeyes --quiet install aws-cfn-bootstrap e2fsprogs git-core gzip tar xfsprogs'
const clone =
  'git -c advice.detachedHead=false clone --quiet --depth 1 --branch v1.0.0 https://example.com/imgpipe.git .'
const imgpipe = (root: string) =>
  `runuser --user imgpipe -- env --ignore-environment PATH=${root}/bin HOME=${root}/var/lib/imgpipe ${root}/usr/local/bin/imgpipe`

let instance: FreshInstance
beforeEach(() => {
  instance = new FreshInstance()
})
afterEach(() => instance.remove())

function boot(name: string, parameters: Record<string, string> = {}) {
  return instance.boot(userDataOf(stackOf(parameters), name))
}

test('A downloads imgpipe, installs the detector, checks it and signals success', () => {
  const { status, calls, signals, log } = boot('Detector')
  const doctor = `${imgpipe(instance.root)} doctor --role detector`
  expect(calls).toEqual([packages, clone, 'install.sh --role detector', doctor])
  expect(signals).toMatchObject([{ Status: 'SUCCESS', Url: expect.stringContaining('DetectorHandle?') }])
  expect(log).toContain('All checks passed.')
  expect(status).toBe(0)
})

test('B attaches its volume, gives it a file system and installs the reader on it', () => {
  const device = instance.addVolume({ attached: false })
  instance.write('attach-answers', 'nitro\n')
  const { status, calls, signals } = boot('Reader')
  const attach = `aws ec2 attach-volume --volume-id vol-0123456789abcdef0 --instance-id i-0123456789abcdef0 --device`
  expect(calls.slice(2)).toEqual([
    `${attach} ${instance.root}/dev/sdf`,
    `mkfs.ext4 -q -L imgpipe ${device}`,
    `e2fsck -f -p ${device}`,
    `resize2fs ${device}`,
    `install.sh --role reader --volume ${device}`,
    `${imgpipe(instance.root)} doctor --role reader`,
  ])
  expect(signals).toMatchObject([{ Status: 'SUCCESS', Url: expect.stringContaining('ReaderHandle?') }])
  expect(status).toBe(0)
})

test('a volume from a snapshot keeps its file system, and B attaches none with a profile of the account', () => {
  const device = instance.addVolume({ type: 'ext4' })
  const given = { InstanceProfile: 'LabInstanceProfile', VolumeSnapshot: 'snap-1' }
  const { calls } = boot('Reader', given)
  expect(stackOf(given).resources.Reader?.properties.Volumes).toMatchObject([{ Device: '/dev/sdf' }])
  expect(calls.slice(2, 5)).toEqual([
    `e2fsck -f -p ${device}`,
    `resize2fs ${device}`,
    `install.sh --role reader --volume ${device}`,
  ])
})

test('no file system is created on a volume from a snapshot', () => {
  instance.addVolume()
  const { calls } = boot('Reader', { VolumeSnapshot: 'snap-1' })
  expect(calls[2]).toMatch(/^install.sh /)
})

test('an additional reader is installed without a volume and sends no signal', () => {
  const { status, calls, signals } = boot('AdditionalReader', { MaxReaders: '2' })
  const doctor = `${imgpipe(instance.root)} doctor --role reader`
  expect(calls).toEqual([packages, clone, 'install.sh --role reader', doctor])
  expect(signals).toEqual([])
  expect(status).toBe(0)
})

test.each([
  [
    'https://example.com/imgpipe-1.0.0.tar.gz',
    'curl --fail --silent --show-error --location --retry 5 --output',
  ],
  ['s3://releases/imgpipe-1.0.0.tgz', 'aws s3 cp --only-show-errors s3://releases/imgpipe-1.0.0.tgz'],
])('imgpipe as an archive at %s', (Archive, download) => {
  const { status, calls } = boot('Detector', { Archive, Repository: '', Tag: '' })
  expect(calls[1]).toContain(download)
  expect(calls[2]).toBe('install.sh --role detector')
  expect(status).toBe(0)
})

test('with a log group, the agent ships the log of the installation and the lines of imgpipe in the journal', () => {
  const { status, calls } = boot('Detector', { LogRetentionDays: '30' })
  const file = join(instance.root, 'opt/aws/amazon-cloudwatch-agent/etc/imgpipe.json')
  expect(calls.slice(0, 3)).toEqual([
    'dnf --assumeyes --quiet install aws-cfn-bootstrap e2fsprogs git-core gzip tar xfsprogs amazon-cloudwatch-agent rsyslog',
    'systemctl enable --now rsyslog',
    `amazon-cloudwatch-agent-ctl -a fetch-config -m ec2 -c file:${file} -s`,
  ])
  const { collect_list: collected } = JSON.parse(readFileSync(file, 'utf8')).logs.logs_collected.files
  expect(collected).toMatchObject([
    { file_path: expect.stringMatching(/\/imgpipe-install.log$/), log_group_name: 'imgpipe-Logs-1' },
    {
      file_path: expect.stringMatching(/\/messages$/),
      filters: [{ type: 'include', expression: 'imgpipe' }],
    },
  ])
  expect(status).toBe(0)
})

describe('a failure is signaled with its reason', () => {
  function reasonOf(name: string, parameters: Record<string, string> = {}): string {
    const { status, signals } = boot(name, parameters)
    expect(status).not.toBe(0)
    expect(signals).toHaveLength(1)
    expect(signals[0]?.Status).toBe('FAILURE')
    return signals[0]?.Reason ?? ''
  }

  test('the installer: its last lines, printable, in one line', () => {
    instance.installerPrints(
      'npm error 404 “sd-notify”\n\t\x1b[31mnot found\x1b[0m\ninstall.sh: npm failed: see above',
      1,
    )
    const reason = reasonOf('Detector')
    expect(reason).toContain(
      'last lines: npm error 404 sd-notify not found install.sh: npm failed: see above',
    )
    expect(reason).toMatch(/^[ -~]*$/)
  })

  test('at most a thousand characters, the end of the log among them', () => {
    instance.installerPrints(`${`${'x'.repeat(500)}\n`.repeat(100)}the cause`, 1)
    const reason = reasonOf('Detector')
    expect(reason).toMatch(/the cause$/)
    expect(reason.length).toBeLessThanOrEqual(1024)
  })

  test('a failed check: the first one, with its remedy', () => {
    const checks = [
      'ok   settings      bucket njit-cs-643',
      'FAIL bucket        njit-cs-643: access denied -> allow s3:ListBucket',
      'FAIL queue         missing -> imgpipe setup',
      '2 checks failed; start with the first.',
    ]
    instance.doctorPrints(checks.join('\n'), 77)
    const reason = reasonOf('Detector')
    expect(reason).toMatch(
      /^imgpipe: FAIL bucket njit-cs-643: access denied -> allow s3:ListBucket \| last lines: /,
    )
    expect(reason).toContain('journal of imgpipe-detector ok settings')
    expect(reason).toContain('2 checks failed')
  })

  test('a volume that is never attached', () => {
    instance.write('attach-answers', 'UnauthorizedOperation\n'.repeat(100))
    expect(reasonOf('Reader')).toMatch(
      /vol-0123456789abcdef0 is not available after 120 seconds: An error occurred \(Unauth/,
    )
    expect(instance.calls().join('\n')).not.toContain('install.sh --role')
  })

  test('an archive of something else', () => {
    instance.removeFile('project/imgpipe-1.0.0/deploy/install.sh')
    expect(reasonOf('Detector')).toContain(
      'https://example.com/imgpipe.git contains no deploy/install.sh: specify a release of imgpipe.',
    )
  })

  test('the agent that ships the log has time to do so', () => {
    instance.installerPrints('no', 1)
    reasonOf('Detector', { LogRetentionDays: '30' })
    expect(instance.allCalls().at(-1)).toBe('sleep 15')
  })

  test('an installation that takes too long', () => {
    instance.write('hangs', '')
    expect(reasonOf('Detector')).toMatch(
      /^imgpipe: the installation did not finish within 25 minutes \| last lines: /,
    )
  })
})

test('a check that passes a little later, as new permissions do, is no failure', () => {
  instance.doctorPrints('All checks passed.', 0, [77, 77, 69])
  const { status, calls, signals } = boot('Detector')
  expect(calls.filter((call) => call.includes('doctor'))).toHaveLength(4)
  expect(signals[0]?.Status).toBe('SUCCESS')
  expect(status).toBe(0)
})

test('checks that are not required do not fail the stack', () => {
  instance.doctorPrints('FAIL credentials   none', 77)
  const { status, signals } = boot('Detector', { RequireChecks: 'false' })
  expect(signals).toMatchObject([
    { Status: 'SUCCESS', Reason: expect.stringContaining('FAIL credentials none') },
  ])
  expect(status).toBe(0)
})

test('imgpipe accepts the settings that it writes', () => {
  const given = { Prefix: 'cars/(1)', MinConfidence: '80.5', MaxReaders: '3', Bucket: 'cs643-njit-project1' }
  for (const name of ['Detector', 'AdditionalReader']) {
    boot(name, given)
    expect(loadSettings({ configFile: instance.settingsFile, environment: {} })).toMatchObject({
      bucket: 'cs643-njit-project1',
      prefix: 'cars/(1)',
      minConfidence: 80.5,
      queue: 'https://sqs.us-east-1.amazonaws.com/111122223333/imgpipe-Queue',
      region: 'us-east-1',
      resultsBucket: name === 'Detector' ? '' : 'imgpipe-sharedresults-1',
    })
  }
})

describe.each(['Detector', 'Reader', 'AdditionalReader'])('the script of %s', (name) => {
  const script = userDataOf(stackOf({ MaxReaders: '3', LogRetentionDays: '30' }), name)
  const hasShellcheck = spawnSync('shellcheck', ['--version']).status === 0

  test('is bash, and short enough for user data (16 KiB)', () => {
    expect(spawnSync('bash', ['-n'], { input: script, encoding: 'utf8' })).toMatchObject({
      status: 0,
      stderr: '',
    })
    expect(script.startsWith('#!/bin/bash\n')).toBe(true)
    expect(Buffer.byteLength(script)).toBeLessThan(16_384)
  })

  test.skipIf(!hasShellcheck)('passes shellcheck (apt-get install shellcheck)', () => {
    const { status, stdout } = spawnSync('shellcheck', ['-'], { input: script, encoding: 'utf8' })
    expect(stdout).toBe('')
    expect(status).toBe(0)
  })
})

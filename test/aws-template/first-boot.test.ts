import { spawnSync } from 'node:child_process'
import { symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { loadSettings } from '../../src/config/settings.ts'
import { FreshInstance, userDataOf } from './first-boot.ts'
import { stackOf } from './stack.ts'

const stackId = 'arn:aws:cloudformation:us-east-1:111122223333:stack/imgpipe/1'
const packages = 'dnf --assumeyes --quiet install git-core tar gzip'
const clone = 'git clone --quiet --depth 1 --branch main https://example.com/imgpipe.git .'

function signal(status: number, reason: string, resource: string): string {
  return `cfn-signal --exit-code ${status} --reason ${reason} --region us-east-1 --stack ${stackId} --resource ${resource}`
}

let instance: FreshInstance
beforeEach(() => {
  instance = new FreshInstance()
})
afterEach(() => instance.remove())

test('A fetches imgpipe, installs the detector and says that it is done', () => {
  const { status, calls } = instance.boot(userDataOf(stackOf(), 'Detector'))
  expect(calls).toEqual([
    packages,
    clone,
    'install.sh --role detector',
    signal(0, 'done', 'DetectorInstalled'),
  ])
  expect(status).toBe(0)
})

test('B installs the reader on its volume, on a Nitro instance', () => {
  const link = 'dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol0123456789abcdef0'
  writeFileSync(join(instance.root, 'dev/nvme1n1'), '')
  symlinkSync('../../nvme1n1', join(instance.root, link))
  const { calls } = instance.boot(userDataOf(stackOf(), 'Reader'))
  expect(calls.slice(2)).toEqual([
    `install.sh --role reader --volume ${instance.root}/dev/nvme1n1`,
    signal(0, 'done', 'ReaderInstalled'),
  ])
})

test('B installs the reader on its volume, on a Xen instance', () => {
  writeFileSync(join(instance.root, 'dev/xvdf'), '')
  const { calls } = instance.boot(userDataOf(stackOf({ InstanceType: 't2.micro' }), 'Reader'))
  expect(calls[2]).toBe(`install.sh --role reader --volume ${instance.root}/dev/xvdf`)
})

test('a further reader installs without a volume, and nobody waits for its signal', () => {
  const { status, calls } = instance.boot(userDataOf(stackOf({ MaxReaders: '2' }), 'FurtherReader'))
  expect(calls).toEqual([packages, clone, 'install.sh --role reader'])
  expect(status).toBe(0)
})

test.each([
  [
    'https://example.com/imgpipe-1.0.0.tar.gz',
    'curl --fail --silent --show-error --location --retry 5 --output',
  ],
  [
    's3://releases/imgpipe-1.0.0.tar.gz',
    'aws s3 cp --only-show-errors --region us-east-1 s3://releases/imgpipe',
  ],
])('imgpipe as an archive at %s', (Source, fetching) => {
  const { status, calls } = instance.boot(userDataOf(stackOf({ Source }), 'Detector'))
  expect(calls[1]).toContain(fetching)
  expect(calls[2]).toBe('install.sh --role detector')
  expect(status).toBe(0)
})

describe('what fails is said to CloudFormation with its last words', () => {
  test('the installation', () => {
    instance.installerSays('install.sh: dnf could not install nodejs24', 1)
    const { calls } = instance.boot(userDataOf(stackOf(), 'Detector'))
    expect(calls.at(-1)).toBe(signal(1, 'install.sh: dnf could not install nodejs24', 'DetectorInstalled'))
  })

  test('a volume that never comes', () => {
    const { calls } = instance.boot(userDataOf(stackOf(), 'Reader'))
    expect(calls.at(-1)).toContain(
      '--exit-code 1 --reason attached-volume.sh: vol-0123456789abcdef0 was not attached',
    )
    expect(calls.join('\n')).not.toContain('install.sh --role')
  })

  test('sources of something else', () => {
    instance.withoutInstaller()
    const { calls } = instance.boot(userDataOf(stackOf(), 'Detector'))
    const said =
      'imgpipe: https://example.com/imgpipe.git holds no deploy/install.sh: give the whole project.'
    expect(calls.at(-1)).toBe(signal(1, said, 'DetectorInstalled'))
  })
})

test('the settings that it writes are taken by imgpipe', () => {
  const given = { Prefix: 'cars/(1)', MinConfidence: '80.5', MaxReaders: '3', Bucket: 'cs643-njit-project1' }
  for (const name of ['Detector', 'FurtherReader']) {
    const { settingsFile } = instance.boot(userDataOf(stackOf(given), name))
    expect(loadSettings({ configFile: settingsFile, environment: {} })).toMatchObject({
      bucket: 'cs643-njit-project1',
      prefix: 'cars/(1)',
      minConfidence: 80.5,
      queue: 'https://sqs.us-east-1.amazonaws.com/111122223333/imgpipe-Queue',
      region: 'us-east-1',
      resultsBucket: name === 'Detector' ? '' : 'imgpipe-sharedresults-1',
    })
  }
})

describe.each(['Detector', 'Reader', 'FurtherReader'])('the script of %s', (name) => {
  const script = userDataOf(stackOf({ MaxReaders: '3' }), name)
  const hasShellcheck = spawnSync('shellcheck', ['--version']).status === 0

  test('is bash, and short enough for user data (16 KiB)', () => {
    expect(spawnSync('bash', ['-n'], { input: script, encoding: 'utf8' })).toMatchObject({
      status: 0,
      stderr: '',
    })
    expect(script.startsWith('#!/bin/bash\n')).toBe(true)
    expect(Buffer.byteLength(script)).toBeLessThan(16_384)
  })

  test.skipIf(!hasShellcheck)('has nothing that shellcheck (apt-get install shellcheck) would say', () => {
    const { status, stdout } = spawnSync('shellcheck', ['-'], { input: script, encoding: 'utf8' })
    expect(stdout).toBe('')
    expect(status).toBe(0)
  })
})

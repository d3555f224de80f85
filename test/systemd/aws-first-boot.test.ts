import { readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { stackOf } from '../aws-template/stack.ts'
import { text } from '../aws-template/template.ts'
import { workDirectory } from './support/base.ts'
import { TestCloud } from './support/cloud.ts'
import { must } from './support/command.ts'
import { checkout, copyProject } from './support/host.ts'
import { Machine } from './support/machine.ts'

/**
 * Instance B of the CloudFormation template at its first boot: the user data of the template itself, the real
 * installer, a volume of its own, the real doctor. Only what Amazon alone has is a stand-in: cfn-signal, dnf, the call
 * that attaches the volume, and the git server.
 */
const image = `${workDirectory}/results.img`
const log = '/var/log/imgpipe-install.log'
let cloud: TestCloud
let machine: Machine
let device = ''
let userData = ''

beforeAll(async () => {
  cloud = await TestCloud.start()
  await rm(image, { force: true })
  await must('truncate', ['--size=256M', image])
  device = (await must('losetup', ['--find', '--show', image])).trim()
  // An instance of the Xen kind, on which a volume attached as /dev/sdf is /dev/xvdf.
  machine = await Machine.boot('imgpipe-aws', { binds: [`${device}:/dev/xvdf`] })
  await copyProject(machine)
  const cfnSignal = new URL('../aws-template/stand-ins/cfn-signal', import.meta.url)
  await machine.write('/opt/aws/bin/cfn-signal', readFileSync(cfnSignal, 'utf8'), '0755')
  await standIn('dnf', 'echo "$@" >>/root/packages')
  await standIn('git', `cp --recursive ${checkout}/. "\${!#}"`)
  await machine.write('/etc/imgpipe/imgpipe.env', `AWS_ENDPOINT_URL=${cloud.gate.url}\n`)
  const credentials = '[default]\naws_access_key_id=a\naws_secret_access_key=s\n'
  await machine.write('/etc/imgpipe/credentials', credentials)
  const { bucket, queue } = cloud.names
  const stack = stackOf({ Bucket: bucket, InstanceType: 't2.micro' }, { Queue: queue })
  userData = text(stack.resources.Reader?.properties.UserData)
})

afterAll(async () => {
  await machine?.stop()
  if (device) await must('losetup', ['--detach', device])
  await rm(image, { force: true })
  await cloud?.stop()
})

function standIn(name: string, does: string): Promise<void> {
  return machine.write(`/usr/local/bin/${name}`, `#!/bin/bash\n${does}\n`, '0755')
}

/** Runs user data as cloud-init does. @returns its exit status, what it printed, and what CloudFormation was told */
async function firstBoot(script: string) {
  await machine.sh('rm -rf /root/signals /usr/src/imgpipe')
  await machine.write('/root/user-data', script, '0755')
  const { status } = await machine.try('/root/user-data >/var/log/cloud-init-output.log 2>&1')
  const signal: { Status: string; Reason: string } = JSON.parse(await machine.read('/root/signals'))
  return { status, printed: await machine.read(log), signal }
}

test('the user data of B installs the reader on its volume, checks it, and signals CloudFormation', async () => {
  const { status, printed, signal } = await firstBoot(userData)
  expect(status, printed).toBe(0)
  expect(signal).toMatchObject({ Status: 'SUCCESS', Reason: 'imgpipe is installed.' })
  expect(await machine.read('/root/packages')).toContain('e2fsprogs')
  expect(await machine.property('imgpipe-reader', 'ActiveState')).toBe('active')
  expect((await machine.sh('findmnt --noheadings --output=SOURCE /var/lib/imgpipe')).trim()).toBe('/dev/xvdf')
  const { bucket, queue } = cloud.names
  expect(JSON.parse(await machine.read('/etc/imgpipe/imgpipe.json'))).toMatchObject({ bucket, queue })
}, 900_000)

test('a queue that does not exist fails the stack with the check that found it', async () => {
  await standIn('sleep', 'exec /usr/bin/sleep 1')
  const { status, signal } = await firstBoot(
    userData.replace(`"queue": "${cloud.names.queue}"`, '"queue": "gone"'),
  )
  await machine.sh('rm /usr/local/bin/sleep')
  expect(status).toBe(78)
  expect(signal.Status).toBe('FAILURE')
  expect(signal.Reason).toMatch(/^imgpipe: FAIL queue gone: .* \| last lines: /)
}, 900_000)

test('a failed download is reported with its last lines', async () => {
  await standIn('git', "echo 'fatal: repository not found' >&2; exit 128")
  const { status, signal } = await firstBoot(userData)
  expect(status).toBe(128)
  expect(signal).toMatchObject({
    Status: 'FAILURE',
    Reason: expect.stringMatching(/^last lines: .*fatal: repository not found/),
  })
})

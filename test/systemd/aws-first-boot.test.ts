import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { stackOf } from '../aws-template/stack.ts'
import { text } from '../aws-template/template.ts'
import { workFolder } from './support/base.ts'
import { TestCloud } from './support/cloud.ts'
import { must } from './support/command.ts'
import { checkout, copyProject } from './support/host.ts'
import { Machine } from './support/machine.ts'

/**
 * Instance B of the CloudFormation template at its first start: the user data of the template itself, the real
 * installer, a volume of its own. Only what Amazon alone has is a stand-in: cfn-signal, dnf, and the git server.
 */
const image = `${workFolder}/results.img`
let cloud: TestCloud
let machine: Machine
let device = ''

beforeAll(async () => {
  cloud = await TestCloud.start()
  await rm(image, { force: true })
  await must('truncate', ['--size=64M', image])
  device = (await must('losetup', ['--find', '--show', image])).trim()
  // An instance of the Xen kind, on which a volume attached as /dev/sdf is /dev/xvdf.
  machine = await Machine.boot('imgpipe-aws', [`${device}:/dev/xvdf`])
  await copyProject(machine)
  await standIn('/opt/aws/bin/cfn-signal', 'echo "$@" >>/root/signals')
  await standIn('/usr/local/bin/dnf', 'echo "$@" >>/root/packages')
  await standIn('/usr/local/bin/git', `cp --recursive ${checkout}/. "\${!#}"`)
  await machine.write('/etc/imgpipe/imgpipe.env', `AWS_ENDPOINT_URL=${cloud.gate.url}\n`)
  await machine.write('/etc/imgpipe/credentials', '[default]\naws_access_key_id=a\naws_secret_access_key=s\n')
})

afterAll(async () => {
  await machine?.stop()
  if (device) await must('losetup', ['--detach', device])
  await rm(image, { force: true })
  await cloud?.stop()
})

function standIn(path: string, does: string): Promise<void> {
  return machine.write(path, `#!/bin/bash\n${does}\n`, '0755')
}

test('the user data of B installs the reader on its volume, starts it, and tells CloudFormation', async () => {
  const { bucket, queue } = cloud.names
  const given = { Bucket: bucket, InstanceType: 't2.micro', Source: 'https://example.com/imgpipe.git' }
  const stack = stackOf(given, { Queue: queue })
  await machine.write('/root/user-data', text(stack.resources.Reader?.properties.UserData), '0755')

  const { status } = await machine.try('/root/user-data >/var/log/cloud-init-output.log 2>&1')

  const said = await machine.read('/var/log/cloud-init-output.log')
  expect(status, said).toBe(0)
  expect(await machine.read('/root/signals')).toMatch(/^--exit-code 0 .* --resource ReaderInstalled$/m)
  expect(await machine.read('/root/packages')).toBe('--assumeyes --quiet install git-core tar gzip\n')
  expect(await machine.property('imgpipe-reader', 'ActiveState')).toBe('active')
  expect((await machine.sh('findmnt --noheadings --output=SOURCE /var/lib/imgpipe')).trim()).toBe('/dev/xvdf')
  expect(JSON.parse(await machine.read('/etc/imgpipe/imgpipe.json'))).toMatchObject({ bucket, queue })
}, 900_000)

test('what goes wrong is told with its last words', async () => {
  await machine.sh('rm -r /root/signals /usr/src/imgpipe')
  await standIn('/usr/local/bin/git', "echo 'fatal: repository not found' >&2; exit 128")
  const { status } = await machine.try('/root/user-data >/var/log/cloud-init-output.log 2>&1')
  expect(status).toBe(128)
  expect(await machine.read('/root/signals')).toContain(
    '--exit-code 128 --reason fatal: repository not found',
  )
})

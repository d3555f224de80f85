import { fileURLToPath } from 'node:url'
import type { TestCloud } from './cloud.ts'
import type { Outcome } from './command.ts'
import type { Machine } from './machine.ts'

const project = fileURLToPath(new URL('../../..', import.meta.url))
/** What an operator copies to a host. */
const shipped = ['src', 'config', 'deploy', 'docs', 'package.json', 'package-lock.json']
export const checkout = '/root/imgpipe'

export type Role = 'detector' | 'reader' | 'both'

/** Brings the project as it stands here to a machine, as a clone or an unpacked archive would. */
export async function copyProject(machine: Machine): Promise<void> {
  await machine.copyIn(project, shipped, checkout)
}

export function install(machine: Machine, options = ''): Promise<Outcome> {
  return machine.try(`cd ${checkout} && deploy/install.sh ${options}`)
}

/** Points a host at the test's cloud, as an operator would at a region: settings, environment, credentials. */
export async function configure(machine: Machine, cloud: TestCloud, settings: object): Promise<void> {
  const { bucket, queue, region } = cloud.names
  await machine.sh('mkdir -p /etc/imgpipe')
  await machine.write('/etc/imgpipe/imgpipe.json', JSON.stringify({ bucket, queue, region, ...settings }))
  await machine.write('/etc/imgpipe/imgpipe.env', `AWS_ENDPOINT_URL=${cloud.gate.url}\n`)
}

/** Pastes session keys, as the console's "Command line or programmatic access" gives them. */
export async function giveCredentials(machine: Machine, accessKeyId: string): Promise<void> {
  const lines = [
    '[default]',
    `aws_access_key_id=${accessKeyId}`,
    'aws_secret_access_key=s',
    'aws_session_token=t',
    '',
  ]
  await machine.write('/etc/imgpipe/credentials', lines.join('\n'), '0640', 'root:imgpipe')
}

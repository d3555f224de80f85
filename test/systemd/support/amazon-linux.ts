import { realpath } from 'node:fs/promises'
import { dirname } from 'node:path'
import { must } from './command.ts'
import type { Machine } from './machine.ts'

const osRelease = `NAME="Amazon Linux"
VERSION="2023"
ID="amzn"
ID_LIKE="fedora"
VERSION_ID="2023"
PRETTY_NAME="Amazon Linux 2023"
`

/** Says that what dnf has installed is there, and nothing else. */
const rpm = `#!/bin/bash
grep --quiet --line-regexp --fixed-strings -- "\${!#}" /root/dnf-has-installed
`

/** Writes down what it is asked for, and brings what Debian has instead. */
const dnf = `#!/bin/bash
set -e
echo "$*" >>/root/dnf-was-asked
shift 2
printf '%s\\n' "$@" >>/root/dnf-has-installed
for name in "$@"; do
  case $name in
    nodejs24) install -m 0755 /root/amazon/node /usr/bin/node-24 ;;
    nodejs24-npm) install -m 0755 /root/amazon/npm-24 /usr/bin/npm-24 ;;
    systemd-devel) debian+=(libsystemd-dev) ;;
    gcc-c++) debian+=(g++) ;;
    *) debian+=("$name") ;;
  esac
done
apt-get update
DEBIAN_FRONTEND=noninteractive apt-get install --yes --no-install-recommends "\${debian[@]}"
`

const npm24 = `#!/bin/bash
exec /usr/bin/node-24 /usr/lib/node_modules_24/npm/bin/npm-cli.js "$@"
`

/**
 * Makes a machine take itself for Amazon Linux 2023: its name, and stand-ins for dnf and rpm. Node 24 is the one
 * that runs the tests, npm the one of this host.
 */
export async function becomeAmazonLinux(machine: Machine): Promise<void> {
  const npmCommand = await realpath((await must('sh', ['-c', 'command -v npm'])).trim())
  await machine.sh('rm /etc/os-release; touch /root/dnf-has-installed')
  await machine.write('/etc/os-release', osRelease)
  await machine.write('/usr/bin/rpm', rpm, '0755')
  await machine.write('/usr/bin/dnf', dnf, '0755')
  await machine.write('/root/amazon/npm-24', npm24)
  await machine.copyIn(dirname(dirname(dirname(npmCommand))), ['npm'], '/usr/lib/node_modules_24')
  await machine.copyIn(dirname(process.execPath), ['node'], '/root/amazon')
}

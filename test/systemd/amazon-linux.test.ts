import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { becomeAmazonLinux } from './support/amazon-linux.ts'
import { TestCloud } from './support/cloud.ts'
import { until } from './support/command.ts'
import { checkout, configure, copyProject, install } from './support/host.ts'
import { Machine } from './support/machine.ts'

/** The life of an installation with both workers, on a host that identifies itself as Amazon Linux 2023. */
let cloud: TestCloud
let host: Machine

beforeAll(async () => {
  cloud = await TestCloud.start()
  host = await Machine.boot('imgpipe-amazon')
  await becomeAmazonLinux(host)
  await copyProject(host)
  await configure(host, cloud, {})
  await host.write(
    '/etc/imgpipe/credentials',
    '[default]\naws_access_key_id=a\naws_secret_access_key=s\n',
    '0644',
  )
})

afterAll(async () => {
  await host?.stop()
  await cloud?.stop()
})

/** All that an installation could touch. */
function touched(): Promise<string> {
  return host.tree('/etc', '/opt', '/usr', '/var/lib')
}

async function installed(options = ''): Promise<string> {
  const { status, stdout, stderr } = await install(host, options)
  expect(status, stdout + stderr).toBe(0)
  return stdout
}

async function release(): Promise<string> {
  return (await host.sh('readlink /opt/imgpipe/current')).trim()
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}

/** Changes the program in the checkout, as a `git pull` would. */
function change(script: string): Promise<string> {
  return host.sh(`cd ${checkout} && ${script}`)
}

async function readerIsActive(): Promise<string> {
  expect(await host.property('imgpipe-reader', 'ActiveState')).toBe('active')
  return host.property('imgpipe-reader', 'MainPID')
}

describe('installation', () => {
  test('a dry run shows the steps and changes nothing', async () => {
    const before = await touched()
    expect(await installed('--dry-run')).toMatch(/dnf install[\s\S]*npm[\s\S]* ci [\s\S]*nothing was changed/)
    expect(await touched()).toBe(before)
  })

  test('dnf installs Node 24 and the build dependencies of sd-notify; the units run that Node', async () => {
    const said = await installed()
    expect(said).toMatch(/The reader is ready/)
    const asked = 'install --assumeyes nodejs24 nodejs24-npm systemd-devel gcc-c++ make python3\n'
    expect(await host.read('/root/dnf-was-asked')).toBe(asked)
    expect((await host.sh('readlink --canonicalize /opt/imgpipe/current/bin/node')).trim()).toBe(
      '/usr/bin/node-24',
    )
    await readerIsActive()
  })

  test('the installed command uses the settings', async () => {
    expect(await host.sh('imgpipe --version')).toMatch(/^\d+\.\d+\.\d+$/m)
    expect(JSON.parse(await host.sh('imgpipe status --json'))).toBeDefined()
  })

  test('a second run changes nothing and restarts nothing', async () => {
    const [before, reader] = [await touched(), await readerIsActive()]
    await installed()
    expect(await touched()).toBe(before)
    expect(await readerIsActive()).toBe(reader)
    expect((await host.read('/root/dnf-was-asked')).split('\n')).toHaveLength(2)
  })
})

describe('upgrade', () => {
  let first = ''
  let second = ''

  test('the new version runs, the old one is kept, settings are left alone', async () => {
    const settings = await host.tree('/etc/imgpipe')
    const reader = await readerIsActive()
    first = await release()
    await change('echo "// another version" >> src/cli.ts')
    await installed()
    second = await release()
    expect(second).not.toBe(first)
    expect(await readerIsActive()).not.toBe(reader)
    expect((await host.sh('readlink /opt/imgpipe/previous')).trim()).toBe(first)
    expect(await host.tree('/etc/imgpipe')).toBe(settings)
  })

  test('a version that cannot be built leaves the reader undisturbed', async () => {
    const reader = await readerIsActive()
    await change(`cp package.json /root && sed --in-place 's/"commander": "/&9/' package.json`)
    const { status } = await install(host)
    expect(status).toBe(1)
    expect(await release()).toBe(second)
    expect(await readerIsActive()).toBe(reader)
    await change('mv /root/package.json .')
  })

  test('a version whose reader does not become ready is rolled back', async () => {
    const dies = 'if (process.argv[2] === "read") process.exit(3)'
    await change(`cp src/cli.ts /root && sed --in-place '1a ${dies}' src/cli.ts`)
    const { status, stderr } = await install(host)
    expect(status).toBe(1)
    expect(stderr).toMatch(/going back to/)
    expect(await release()).toBe(second)
    await readerIsActive()
    await change('mv /root/cli.ts src/cli.ts')
  })

  test('--rollback goes back to the version before, once; --use goes forward again', async () => {
    expect(await installed('--rollback')).toMatch(`From ${nameOf(second)} to ${nameOf(first)}`)
    expect(await release()).toBe(first)
    await readerIsActive()
    const { status, stderr } = await install(host, '--rollback')
    expect(status, stderr).toBe(1)
    expect(stderr).toMatch(/no earlier version.*--use VERSION/)
    expect(await release()).toBe(first)
    await installed(`--use ${nameOf(second)}`)
    expect(await release()).toBe(second)
    await readerIsActive()
  })

  test('a run completes in the upgraded version', async () => {
    const lines = await cloud.upload('upgraded/', 6)
    await host.sh('systemctl start imgpipe-detector')
    await until('results', async () => (await host.try('test -s /var/lib/imgpipe/results.txt')).status === 0)
    expect((await host.asVisitor('cat /var/lib/imgpipe/results.txt')).trimEnd().split('\n')).toEqual(lines)
  })

  test('a run that lasts longer than two upgrades ends in its own release', async () => {
    await host.sh('systemctl stop imgpipe-reader')
    await host.write(
      '/etc/imgpipe/credentials',
      '[default]\naws_access_key_id=LATE\naws_secret_access_key=s\n',
    )
    cloud.gate.expire('LATE')
    await cloud.upload('long/', 4)
    await configure(host, cloud, { prefix: 'long/' })
    await host.sh('systemctl start --no-block imgpipe-detector')
    await until('the detector waits', async () =>
      /waiting for new credentials/.test(await host.property('imgpipe-detector', 'StatusText')),
    )
    for (const version of [3, 4]) {
      await change(`echo "// version ${version}" >> src/cli.ts`)
      await installed()
    }
    expect(await host.sh('ls /opt/imgpipe/releases')).toContain(nameOf(second))
    await host.write('/etc/imgpipe/credentials', '[default]\naws_access_key_id=a\naws_secret_access_key=s\n')
    await until('the run is over', async () =>
      /inactive|failed/.test(await host.property('imgpipe-detector', 'ActiveState')),
    )
    expect(await host.property('imgpipe-detector', 'Result')).toBe('success')
    await change('echo "// version 5" >> src/cli.ts')
    await installed()
    expect(await host.sh('ls /opt/imgpipe/releases')).not.toContain(nameOf(second))
  })
})

describe('removal', () => {
  test('--uninstall keeps settings and results, and nothing else; a second one changes nothing', async () => {
    const results = await host.read('/var/lib/imgpipe/results.txt')
    await installed('--uninstall')
    await installed('--uninstall')
    expect(await host.read('/var/lib/imgpipe/results.txt')).toBe(results)
    await host.sh('test -e /etc/imgpipe/imgpipe.json')
    expect(await leftovers()).toBe('/etc/imgpipe\n/var/lib/imgpipe\n')
    expect(await host.property('imgpipe-reader', 'LoadState')).toBe('not-found')
  })

  test('--purge leaves no trace', async () => {
    await installed('--purge')
    expect(await leftovers()).toBe('')
    expect((await host.try('id imgpipe')).status).toBe(1)
  })

  function leftovers(): Promise<string> {
    return host.sh(
      "find /etc /opt /usr /var /run -name '*imgpipe*' -prune -not -path '*/systemd/*' | LC_ALL=C sort",
    )
  }
})

import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { FakeService, json } from '../aws/fake-service.ts'
import { canRunAsNobody } from '../state/script.ts'
import { DetectorState, runId } from '../status/state-fixture.ts'
import { InstalledHost } from '../support/installed-host.ts'
import { bucket, TestCloud } from '../support/test-cloud.ts'

const { admin, imgpipe } = InstalledHost
const isPossible = process.getuid?.() === 0 && canRunAsNobody()
const keys = 'aws_access_key_id=test\naws_secret_access_key=test\n'
const good = `[default]\n${keys}`

let cloud: TestCloud
let host: InstalledHost

beforeAll(async () => {
  cloud = await TestCloud.start()
  await cloud.put('1.jpg', Buffer.from('image'))
})
afterAll(() => cloud.stop())

beforeEach(() => {
  host = new InstalledHost()
  host.settings(settings)
  environmentFile()
})
afterEach(() => host.remove())

const settings = { bucket, queue: 'cars', region: 'us-east-1' }

/** What the units have in their environment; the caller's shell has none of it. */
function environmentFile(more: Record<string, string> = {}, mode = 0o644): void {
  const values = { AWS_ENDPOINT_URL: cloud.proxy.url, AWS_EC2_METADATA_DISABLED: 'true', ...more }
  const lines = Object.entries(values).map(([name, value]) => `${name}=${value}\n`)
  host.write('etc/imgpipe/imgpipe.env', `# for the tests\n${lines.join('')}`, { mode })
  // Without a setting: the state directory of a host is where it is installed.
  host.settings({ ...settings, stateDir: host.stateDir })
}

async function doctor(uid: number, words: string[] = [], environment: object = {}) {
  const { code, lines } = await host.run(['doctor', '--timeout', '5', ...words], { uid, environment })
  const lineOf = (subject: string) =>
    lines.find((line) => line.slice(5).startsWith(subject)) ?? `no line on ${subject}:\n${lines.join('\n')}`
  return { code, lines, lineOf, credentials: lineOf('credentials'), summary: lines.at(-1) ?? '' }
}

describe.runIf(isPossible)('credentials in the file of the units (as root and as others)', () => {
  it('as the documents say: root sees all of it', async () => {
    host.credentials(good)
    const { code, credentials, summary, lineOf } = await doctor(0)
    expect(credentials).toMatch(/^ok {3}.* test from the shared credentials file, accepted$/)
    expect(lineOf('environment')).toMatch(/^ok {3}.*that of the units$/)
    expect([code, summary]).toEqual([0, expect.stringMatching(/^All checks passed/)])
  })

  it('as the documents say: who cannot read it is told so, and nothing is called missing', async () => {
    host.credentials(good)
    const { code, credentials, summary, lines } = await doctor(admin)
    expect(credentials).toMatch(/^skip .*user 64123 cannot read .*credentials; use "sudo imgpipe doctor"$/)
    expect(summary).toMatch(/^No check failed, but not everything can be seen.*"sudo imgpipe doctor"/)
    expect(lines.filter((line) => line.startsWith('FAIL'))).toEqual([])
    expect(code).toBe(77)
  })

  it.each([
    ['root', 0],
    ['an operator', admin],
  ])("keys that only the caller has are not the units': %s", async (_who, uid) => {
    host.write('home/admin/.aws/credentials', good)
    const { code, credentials, lineOf } = await doctor(uid, [], {
      AWS_ACCESS_KEY_ID: 'test',
      AWS_SECRET_ACCESS_KEY: 'test',
    })
    expect(credentials).toMatch(/^FAIL .*no AWS credentials.* -> .*"sudo imgpipe credentials"/)
    expect(lineOf('environment')).toContain(
      'not part of it: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY of this',
    )
    expect(code).toBe(77)
  })

  it.each([
    ['root', 0],
    ['an operator', admin],
  ])('a copy with mode 0600 is not readable by the units: %s', async (_who, uid) => {
    host.credentials(good, { mode: 0o600 })
    const { code, credentials } = await doctor(uid)
    expect(credentials).toMatch(
      /^FAIL .*\(owner root, mode 0600\) cannot be read by imgpipe.* -> sudo chown root:imgpipe \S+ && sudo chmod 0640 /,
    )
    expect(code).toBe(77)
  })

  it('a closed directory is named', async () => {
    host.credentials(good)
    chmodSync(join(host.root, 'etc/imgpipe'), 0o2700)
    const { lineOf } = await doctor(0)
    expect(lineOf('settings')).toMatch(
      /^FAIL .*imgpipe\.json cannot be read by imgpipe.* -> sudo chmod a\+x \S+etc\/imgpipe$/,
    )
  })

  it('a file of the settings for root only is one that the units cannot read', async () => {
    host.write('etc/imgpipe/imgpipe.json', JSON.stringify(settings), { mode: 0o600 })
    const { lineOf } = await doctor(0)
    expect(lineOf('settings')).toMatch(/^FAIL .* -> sudo chmod a\+r \S+imgpipe\.json$/)
  })

  it.each<[string, { mode?: number; uid?: number }, RegExp]>([
    ['readable by all', { mode: 0o644 }, /every user of this host can read it/],
    ['of the operator', { mode: 0o640, uid: admin }, /user 64123 can change it/],
    ['writable by the group', { mode: 0o660 }, /other users than its owner can change it/],
  ])('%s: a warning, and everything else is checked', async (_what, options, found) => {
    host.credentials(good, options)
    const { code, lines } = await doctor(0)
    const warning = lines.find((line) => line.startsWith('warn credentials')) ?? ''
    expect(warning).toMatch(found)
    expect(warning).toMatch(/-> sudo chown root:imgpipe \S+ && sudo chmod 0640 .*sudo imgpipe credentials/)
    expect(lines).toContainEqual(expect.stringMatching(/^ok {3}credentials .*accepted/))
    expect(code).toBe(0)
  })

  it.each<[string, string, RegExp]>([
    ['no section', keys, /has no \[default\] section -> .*sudo imgpipe credentials/],
    [
      'lines for a shell',
      'export AWS_ACCESS_KEY_ID=test\n',
      /line 1 is one for a shell.* -> .*sudo imgpipe cred/,
    ],
    [
      'no session token',
      '[default]\naws_access_key_id=ASIAIOSFODNN7EXAMPLE\naws_secret_access_key=x\n',
      /without their session token -> .*sudo imgpipe credentials/,
    ],
    [
      'expired',
      `${good}x_security_token_expires=2020-01-01T00:00:00Z\n`,
      /have expired -> .*sudo imgpipe cred/,
    ],
  ])('%s', async (_what, content, found) => {
    host.credentials(content)
    const { code, credentials } = await doctor(0)
    expect(credentials).toMatch(/^FAIL/)
    expect(credentials).toMatch(found)
    expect(code).toBe(77)
  })

  it('may be for root only where systemd passes it to the units', async () => {
    const load = `[Service]\nLoadCredential=aws:${host.credentialsFile}\n`
    host.write('etc/systemd/system/imgpipe-reader.service.d/credentials.conf', load)
    host.credentials(good, { mode: 0o600, gid: 0 })
    const { code, credentials } = await doctor(0)
    expect([code, credentials]).toEqual([0, expect.stringMatching(/^ok {3}.*accepted$/)])
  })
})

describe.runIf(isPossible)('credentials of the instance role', () => {
  it('are recognised, and may expire soon: they are refreshed', async () => {
    const Expiration = new Date(Date.now() + 10 * 60_000).toISOString()
    const role = {
      Code: 'Success',
      AccessKeyId: 'ASIAIOSFODNN7EXAMPLE',
      SecretAccessKey: 's',
      Token: 't',
      Expiration,
    }
    await using metadata = await FakeService.start(({ url }) => {
      if (url.endsWith('/token')) return { body: 'token' }
      return url.endsWith('/credentials/') ? { body: 'worker' } : json(200, role)
    })
    const endpoint = await metadata.clients.s3.config.endpoint?.()
    const address = `http://${endpoint?.hostname}:${endpoint?.port}`
    environmentFile({ AWS_EC2_METADATA_DISABLED: 'false', AWS_EC2_METADATA_SERVICE_ENDPOINT: address })
    for (const uid of [0, admin]) {
      const { code, credentials } = await doctor(uid)
      expect(credentials).toMatch(
        /^ok {3}.* ASIA…MPLE from the instance role, accepted, refreshed automatically$/,
      )
      expect(code).toBe(0)
    }
    host.credentials(keys)
    const { lines } = await doctor(0)
    expect(lines).toContainEqual(
      expect.stringMatching(/^warn credentials +not used: .*no \[default\] section/),
    )
  })
})

describe.runIf(isPossible)("the units' environment", () => {
  it('is made of the file, whose "export" lines systemd ignores', async () => {
    host.credentials(good)
    const path = host.write(
      'etc/imgpipe/imgpipe.env',
      `AWS_ENDPOINT_URL="${cloud.proxy.url}"\nAWS_EC2_METADATA_DISABLED=true\nexport IMGPIPE_LABEL=Bus`,
    )
    const { code, lineOf } = await doctor(0)
    expect(lineOf('environment')).toBe(
      `warn environment   ${path}: systemd ignores lines that begin with "export" (IMGPIPE_LABEL) -> remove the word "export" from them`,
    )
    expect(code).toBe(0)
  })

  it('cannot be seen by everybody', async () => {
    host.credentials(good)
    environmentFile({}, 0o600)
    expect((await doctor(0)).code).toBe(0)
    const { code, lineOf } = await doctor(admin)
    expect(lineOf('environment')).toMatch(/^skip .*imgpipe\.env cannot be read by user 64123; use "sudo/)
    expect(code).toBe(77)
  })

  it('should not hold keys', async () => {
    environmentFile({ AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test' })
    const { code, lineOf } = await doctor(0)
    expect(lineOf('environment')).toMatch(/^warn .*cannot renew -> .*"sudo imgpipe credentials"$/)
    expect(code).toBe(0)
  })
})

describe.runIf(isPossible)('a further pipeline', () => {
  beforeEach(() => {
    host.credentials(good)
    host.settings({ ...settings, queue: 'second' }, 'second')
    host.write('etc/imgpipe/second.env', 'IMGPIPE_LABEL=Bus\n')
  })

  it('has settings, state and queue of its own', async () => {
    const { lineOf, code } = await doctor(0, ['--pipeline', 'second'])
    expect(lineOf('settings')).toContain('queue second')
    expect(lineOf('state dir')).toContain(join(host.stateDir, 'second'))
    expect(lineOf('queue')).toMatch(/-> create it with "sudo imgpipe setup --pipeline second"/)
    expect(code).toBe(78)
  })

  it('is mentioned where the main one is checked', async () => {
    expect((await doctor(0)).lineOf('pipelines')).toContain('"sudo imgpipe doctor --pipeline second"')
  })

  it('cannot have the name of a directory of the main one', async () => {
    const { code, lines } = await doctor(0, ['--pipeline', 'runs'])
    expect([code, lines]).toEqual([64, [expect.stringMatching(/name of a pipeline must be .* "runs"\.$/)]])
  })

  it.each([
    ['an operator', admin, /second\.env cannot be read by user 64123: run the command with sudo\.$/],
    [
      'the user of the units',
      imgpipe,
      /second\.env cannot be read by nobody: run "sudo chgrp imgpipe .*chmod g\+r/,
    ],
  ])('does not ignore a file of the environment that cannot be read by %s', async (_who, uid, message) => {
    host.write('etc/imgpipe/second.env', 'IMGPIPE_LABEL=Bus\n', { mode: 0o600 })
    const { code, lines } = await host.run(['status', '--pipeline', 'second'], { uid })
    expect([code, lines]).toEqual([77, [expect.stringMatching(message)]])
  })

  it('is what the status shows', async () => {
    const { code, text } = await host.run(['status', '--json', '--pipeline', 'second'], { uid: admin })
    expect([code, JSON.parse(text).stateDir]).toEqual([0, join(host.stateDir, 'second')])
  })
})

describe.runIf(isPossible)('the state directory', () => {
  it('holds no files of root', async () => {
    host.credentials(good)
    writeFileSync(join(host.stateDir, 'detector.lock'), '')
    for (const uid of [0, admin]) {
      const { lineOf } = await doctor(uid)
      expect(lineOf('state files')).toMatch(
        new RegExp(`^FAIL .*detector.lock \\(root\\) -> sudo chown -R ${imgpipe}:${imgpipe} `),
      )
    }
  })

  it('is where the units can write', async () => {
    host.credentials(good)
    host.settings({ ...settings, stateDir: '/tmp/elsewhere' })
    expect((await doctor(0)).lineOf('state dir')).toMatch(
      /^warn .*\/tmp\/elsewhere is outside of .*ReadWritePaths=/,
    )
  })

  it('names the unit that resumes an interrupted run', async () => {
    host.credentials(good)
    const detector = await DetectorState.open(host.stateDir)
    await detector.begin(runId(1))
    expect((await doctor(0)).lineOf('runs')).toMatch(
      /was interrupted after .* -> sudo systemctl start imgpipe-detector\.service: it resumes the run$/,
    )
  })
})

describe.runIf(isPossible)('another command of a user who cannot read the credentials of the units', () => {
  const plan = (uid: number) => {
    const environment = {
      AWS_SHARED_CREDENTIALS_FILE: host.credentialsFile,
      AWS_ENDPOINT_URL: cloud.proxy.url,
      AWS_EC2_METADATA_DISABLED: 'true',
      IMGPIPE_CONFIG: join(host.root, 'etc/imgpipe/imgpipe.json'),
    }
    return host.run(['plan'], { uid, environment })
  }

  it('says that it needs sudo, and does not call them missing', async () => {
    host.credentials(good)
    expect(await plan(admin)).toMatchObject({
      code: 77,
      text: expect.stringMatching(/credentials cannot be read by user 64123: use sudo/),
    })
    expect(await plan(0)).toMatchObject({ code: 0 })
  })

  it('says how they are installed where there are none', async () => {
    expect(await plan(admin)).toMatchObject({
      code: 77,
      text: expect.stringMatching(/no usable AWS credentials.*"sudo imgpipe credentials"/),
    })
  })
})

import { existsSync, readdirSync, readFileSync, statSync, symlinkSync } from 'node:fs'
import { dirname } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest'
import { canRunAsNobody } from '../state/script.ts'
import type { FaultRule } from '../support/fault-proxy.ts'
import { InstalledHost } from '../support/installed-host.ts'
import { TestCloud } from '../support/test-cloud.ts'
import { imgpipe } from './imgpipe.ts'

const isPossible = process.getuid?.() === 0 && canRunAsNobody()
const block = '[default]\naws_access_key_id=test\naws_secret_access_key=test\naws_session_token=token\n'
const written = block

let cloud: TestCloud
let host: InstalledHost

beforeAll(async () => {
  cloud = await TestCloud.start()
})
afterAll(() => cloud.stop())
beforeEach(() => {
  host = new InstalledHost()
})
afterEach(() => host.remove())

/** What deploy/imgpipe.sh exports, and nothing that could be taken for credentials. */
function environment(): Record<string, string> {
  const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, HOME, ...shared } = cloud.environment('/nowhere')
  return { ...shared, AWS_SHARED_CREDENTIALS_FILE: host.credentialsFile }
}

function install(input: string, words: string[] = [], uid = 0) {
  return host.run(['credentials', ...words], { uid, input, environment: environment() })
}

function refuse(rule: Omit<FaultRule, 'share'>): void {
  onTestFinished(cloud.proxy.add({ ...rule, share: 1 }))
}

describe.runIf(isPossible)('imgpipe credentials (as root)', () => {
  it('installs a pasted block for the units, and says so', async () => {
    const { code, lines } = await install(block)
    expect(lines).toEqual([
      `Installed test in ${host.credentialsFile} (root:imgpipe, mode 0640), accepted by AWS, temporary (expiry time not known; four hours in a learner lab).`,
      'Running workers use them within seconds; no restart is needed.',
    ])
    expect(code).toBe(0)
    const { uid, gid, mode } = statSync(host.credentialsFile)
    expect([uid, gid, mode & 0o7777]).toEqual([0, InstalledHost.imgpipe, 0o640])
    expect(readFileSync(host.credentialsFile, 'utf8')).toBe(written)
    expect(readdirSync(dirname(host.credentialsFile))).toEqual(['credentials'])
  })

  it('takes those of a file, and one of its profiles', async () => {
    const path = host.write(
      'home/admin/.aws/credentials',
      `[default]\naws_access_key_id=x\n[lab]\n${block.slice(10)}`,
      {
        mode: 0o600,
        uid: InstalledHost.admin,
      },
    )
    expect(await install('', ['--from', path, '--profile', 'lab'])).toMatchObject({ code: 0 })
    expect(readFileSync(host.credentialsFile, 'utf8')).toBe(written)
  })

  it('repairs owner and mode, keeps other sections, and replaces a link by a file', async () => {
    const target = host.write(
      'home/admin/keys',
      `loose=1\n[default]\naws_access_key_id=old\n[other]\nregion=eu-west-1\n`,
    )
    symlinkSync(target, host.credentialsFile)
    expect(await install(block)).toMatchObject({ code: 0 })
    expect(readFileSync(host.credentialsFile, 'utf8')).toBe(`${written}\n[other]\nregion=eu-west-1\n`)
    expect(readFileSync(target, 'utf8')).toContain('old')
  })

  it('keeps when they expire, and writes the section that the units read', async () => {
    host.write('etc/imgpipe/imgpipe.env', 'AWS_PROFILE=lab\n')
    const at = new Date(Date.now() + 3_600_000).toISOString()
    const { lines } = await install(`${block}x_security_token_expires=${at}\n`)
    expect(lines[0]).toContain(`accepted by AWS, valid until ${at.slice(0, 19)}Z.`)
    expect(readFileSync(host.credentialsFile, 'utf8')).toMatch(/^\[lab\]\n/)
    expect(readFileSync(host.credentialsFile, 'utf8')).toContain(`x_security_token_expires=${at}`)
  })

  it('says what the units use instead', async () => {
    host.write('etc/imgpipe/imgpipe.env', 'AWS_ACCESS_KEY_ID=x\nAWS_SECRET_ACCESS_KEY=y\n')
    expect((await install(block)).lines[1]).toMatch(
      /do not use them while .*imgpipe\.env sets AWS_ACCESS_KEY_ID:/,
    )
  })

  it('leaves a file for root only where systemd passes it to the units', async () => {
    const load = `[Service]\nLoadCredential=aws:${host.credentialsFile}\n`
    host.write('etc/systemd/system/imgpipe-reader.service.d/credentials.conf', load)
    expect((await install(block)).lines[0]).toContain('(root:root, mode 0600)')
    expect(statSync(host.credentialsFile)).toMatchObject({ uid: 0, gid: 0 })
  })

  it.each<[string, Omit<FaultRule, 'share'>[], RegExp, number]>([
    [
      'expired',
      [{ service: 'sqs', fault: { kind: 'refuse', refusal: 'expired' } }],
      /AWS does not accept them: .*have expired.*start the session again/,
      77,
    ],
    [
      'denied everywhere',
      [{ fault: { kind: 'refuse', refusal: 'denied' } }],
      /AWS knows them but denies both .*learner lab/,
      77,
    ],
    [
      'nobody to ask',
      [{ fault: { kind: 'reset', when: 'before' } }],
      /They cannot be checked: .*connection was reset.*--no-check/,
      69,
    ],
  ])('%s: nothing is installed', async (_name, rules, message, exitCode) => {
    for (const rule of rules) refuse(rule)
    host.credentials('[default]\naws_access_key_id=before\n')
    const { code, lines } = await install(block)
    expect(lines).toEqual([expect.stringMatching(/^imgpipe: Nothing was installed\. /)])
    expect(lines[0]).toMatch(message)
    expect(code).toBe(exitCode)
    expect(readFileSync(host.credentialsFile, 'utf8')).toContain('before')
    expect(await install(block, ['--no-check'])).toMatchObject({
      code: 0,
      text: expect.stringContaining('not checked'),
    })
  })

  it.each<[string, Omit<FaultRule, 'share'>, RegExp]>([
    [
      'a queue that may not be seen',
      { service: 'sqs', fault: { kind: 'refuse', refusal: 'denied' } },
      /accepted by AWS, but access to the queue "cars" is denied: grant sqs:GetQueueUrl/,
    ],
    [
      'throttling',
      { service: 'sqs', fault: { kind: 'refuse', refusal: 'throttled' } },
      /accepted by AWS, temporary/,
    ],
  ])('%s is no fault of the credentials', async (_name, rule, message) => {
    refuse(rule)
    expect(await install(block)).toMatchObject({ code: 0, text: expect.stringMatching(message) })
  })

  it.each<[string, string, string[], RegExp, number]>([
    ['no credentials', 'hello\n', [], /^imgpipe: These are no credentials/, 77],
    [
      'expired by their own word',
      `${block}x_security_token_expires=2020-01-01T00:00:00Z\n`,
      [],
      /expired at 2020/,
      77,
    ],
    ['no such file', '', ['--from', '/no/such/file'], /\/no\/such\/file cannot be read \(ENOENT\)/, 64],
    ['far too much', 'x'.repeat(70_000), [], /more than 65536 bytes/, 64],
  ])('%s', async (_name, input, words, message, exitCode) => {
    const { code, lines } = await install(input, words)
    expect([code, lines]).toEqual([exitCode, [expect.stringMatching(message)]])
    expect(existsSync(host.credentialsFile)).toBe(false)
  })

  it('needs root', async () => {
    const { code, lines } = await install(block, [], InstalledHost.admin)
    expect([code, lines]).toEqual([
      77,
      [expect.stringMatching(/Only root can .*: run "sudo imgpipe credentials"\.$/)],
    ])
  })

  it('reaches a reader that waits for credentials, without a restart', async () => {
    await using reader = disposable(
      cloud.reader({
        ...environment(),
        AWS_ACCESS_KEY_ID: '',
        AWS_SECRET_ACCESS_KEY: '',
        IMGPIPE_HOST_ROOT: host.root,
      }),
    )
    await reader.worker.said(/waiting for new credentials .*: install them with "sudo imgpipe credentials"/)
    expect(await install(block)).toMatchObject({ code: 0 })
    await reader.worker.said(/is ready/)
  })
})

function disposable(worker: ReturnType<TestCloud['reader']>) {
  return { worker, [Symbol.asyncDispose]: async () => void (await worker.stop()) }
}

it('is for installed hosts', async () => {
  const { code, lines } = await imgpipe(['credentials'])
  expect([code, lines]).toEqual([
    64,
    [expect.stringMatching(/only on hosts that .* elsewhere .*~\/\.aws\/credentials/)],
  ])
})

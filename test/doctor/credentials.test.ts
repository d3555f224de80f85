import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it } from 'vitest'
import { checkCredentials } from '../../src/doctor/credentials.ts'
import { type Owner, ownerOf } from '../../src/host/users.ts'
import { type Answer, FakeService, html, json, jsonError } from '../aws/fake-service.ts'

const home = mkdtempSync(join(tmpdir(), 'imgpipe-credentials-'))
const file = join(home, '.aws', 'credentials')
const accepted = json(200, { QueueUrl: 'http://127.0.0.1/1/cars' })
const inFile = { HOME: home, AWS_SHARED_CREDENTIALS_FILE: file }
const keys = 'aws_access_key_id=AKIAIOSFODNN7EXAMPLE\naws_secret_access_key=x\n'
const isRoot = process.getuid?.() === 0

/** What the SDK reads is the process's environment. */
async function check(environment: Record<string, string>, answer: Answer = accepted, worker?: Owner) {
  await using fake = await FakeService.start(() => answer)
  const all: Record<string, string> = {
    AWS_EC2_METADATA_DISABLED: 'true',
    AWS_CONFIG_FILE: '/dev/null',
    ...environment,
  }
  const names = ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN', 'AWS_PROFILE']
  const before = { ...process.env }
  for (const name of names) delete process.env[name]
  Object.assign(process.env, all)
  try {
    const { sqs } = fake.clients
    return await checkCredentials({ sqs, queue: 'cars', environment: all, worker }, AbortSignal.timeout(5000))
  } finally {
    for (const name of [...names, ...Object.keys(all)]) delete process.env[name]
    Object.assign(process.env, before)
  }
}

function write(content: string, mode = 0o600): void {
  mkdirSync(join(home, '.aws'), { recursive: true })
  writeFileSync(file, content)
  chmodSync(file, mode)
}

beforeEach(() => rmSync(file, { force: true }))
afterAll(() => rmSync(home, { recursive: true }))

describe('from the environment', () => {
  const environment = { HOME: home, AWS_ACCESS_KEY_ID: 'AKIAIOSFODNN7EXAMPLE', AWS_SECRET_ACCESS_KEY: 'x' }
  const inMinutes = (minutes: number) => new Date(Date.now() + minutes * 60_000 + 5000).toISOString()

  it.each<[string, Record<string, string>, Answer, string]>([
    ['accepted', {}, accepted, 'AKIA…MPLE from the environment, accepted'],
    ['no such queue', {}, jsonError(400, 'QueueDoesNotExist'), 'accepted'],
    ['denied', {}, jsonError(403, 'AccessDeniedException'), 'accepted'],
    ['nobody to ask', {}, html(503), 'not verified: SQS does not answer'],
    ['temporary', { AWS_SESSION_TOKEN: 't' }, accepted, 'accepted, temporary (expiry time not known)'],
    ['a short ID', { AWS_ACCESS_KEY_ID: 'local' }, accepted, 'local from'],
    ['for a while', { AWS_CREDENTIAL_EXPIRATION: inMinutes(60) }, accepted, 'valid until 20'],
  ])('%s', async (_, more, answer, detail) => {
    expect(await check({ ...environment, ...more }, answer)).toEqual([
      { verdict: 'ok', subject: 'credentials', detail: expect.stringContaining(detail) },
    ])
  })

  it.each<[string, Record<string, string>, Answer, { detail: string; remedy: string }]>([
    [
      'expired by their own word',
      { AWS_CREDENTIAL_EXPIRATION: inMinutes(-60) },
      accepted,
      { detail: 'AKIA…MPLE from the environment have expired', remedy: 'export new ones and start again' },
    ],
    [
      'about to expire',
      { AWS_CREDENTIAL_EXPIRATION: inMinutes(10) },
      accepted,
      { detail: 'expire in 10 minutes', remedy: 'export new ones' },
    ],
    [
      'expired by the word of AWS',
      {},
      jsonError(403, 'ExpiredTokenException'),
      { detail: 'the credentials have expired', remedy: 'export new ones' },
    ],
    [
      'rejected',
      {},
      jsonError(403, 'UnrecognizedClientException'),
      { detail: 'rejected', remedy: 'session token again' },
    ],
    [
      'temporary without their session token',
      { AWS_ACCESS_KEY_ID: 'ASIAIOSFODNN7EXAMPLE' },
      accepted,
      { detail: 'without their session token', remedy: 'copy the session token too' },
    ],
  ])('%s', async (_, more, answer, { detail, remedy }) => {
    expect(await check({ ...environment, ...more }, answer)).toMatchObject([
      {
        verdict: 'fail',
        reason: 'permission',
        detail: expect.stringContaining(detail),
        remedy: expect.stringContaining(remedy),
      },
    ])
  })
})

describe('from a file', () => {
  it('says how to replace them', async () => {
    write(`[default]\n${keys}aws_session_token=t\n`)
    expect(await check(inFile)).toEqual([
      {
        verdict: 'ok',
        subject: 'credentials',
        detail: 'AKIA…MPLE from the shared credentials file, accepted, temporary (expiry time not known)',
      },
    ])
    expect(await check(inFile, jsonError(403, 'ExpiredTokenException'))).toMatchObject([
      { remedy: 'replace them in the same file; running workers pick up the new credentials automatically' },
    ])
  })

  it.each([
    ['no file', undefined, {}, `neither in the environment nor in ${file}`, `put them into ${file}`],
    ['no section', keys, {}, `${file} has no [default] section`, 'add the line [default]'],
    ['no such profile', `[default]\n${keys}`, { AWS_PROFILE: 'lab' }, 'has no [lab] section', 'AWS_PROFILE'],
    ['no secret', '[default]\naws_access_key_id=a\n', {}, 'has no aws_secret_access_key', 'copy'],
    ['exports', `[default]\nexport ${keys}`, {}, 'line 2 is one for a shell', 'aws_access_key_id=…'],
  ])('%s', async (_, content, environment, detail, remedy) => {
    if (content !== undefined) write(content)
    expect(await check({ ...inFile, ...environment })).toMatchObject([
      {
        verdict: 'fail',
        reason: 'permission',
        detail: expect.stringContaining(detail),
        remedy: expect.stringContaining(remedy),
      },
    ])
  })

  it('warns about a file that every user can read', async () => {
    write(`[default]\n${keys}`, 0o644)
    expect(await check(inFile)).toMatchObject([
      { verdict: 'ok' },
      {
        verdict: 'warn',
        detail: `every user of this host can read ${file} (mode 644)`,
        remedy: `chmod o= ${file}`,
      },
    ])
  })

  const service = { uid: 64_000, gid: 64_001, name: 'imgpipe' }

  it('fails where the user of the workers cannot read it', async () => {
    write(`[default]\n${keys}`)
    expect(await check(inFile, accepted, service)).toMatchObject([
      { verdict: 'fail', detail: `${file} cannot be read by imgpipe, the user of the workers` },
    ])
  })

  it.runIf(isRoot)(
    'takes a file for readable that belongs to the user of the workers, or to a group (as root)',
    async () => {
      write(`[default]\n${keys}`, 0o640)
      expect(await check(inFile, accepted, service)).toMatchObject([{ verdict: 'ok' }])
      write(`[default]\n${keys}`, 0o600)
      chownSync(file, service.uid, service.gid)
      expect(await check(inFile, accepted, service)).toMatchObject([{ verdict: 'ok' }])
    },
  )

  it("warns about one's own file, where the workers run as another user", async () => {
    write(`[default]\n${keys}`, 0o640)
    expect(await check({ HOME: home }, accepted, service)).toMatchObject([
      { verdict: 'ok' },
      { verdict: 'warn', detail: `${file} is not read by imgpipe, the user of the workers` },
    ])
    expect(await check({ HOME: home }, accepted, ownerOf(home))).toMatchObject([{ verdict: 'ok' }])
  })
})

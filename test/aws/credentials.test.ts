import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AwsCredentialIdentity } from '@smithy/types'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { areCredentialsFixed, credentialsProvider, rawCredentials } from '../../src/aws/credentials.ts'

const refreshedMs = 11_000
let directory: string
let file: string

// The SDK's providers read the process's own environment.
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'imgpipe-credentials-'))
  file = join(directory, 'credentials')
  vi.stubEnv('AWS_SHARED_CREDENTIALS_FILE', file)
  vi.stubEnv('AWS_CONFIG_FILE', join(directory, 'config'))
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true')
  for (const name of ['AWS_PROFILE', 'AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_SESSION_TOKEN']) {
    vi.stubEnv(name, undefined)
  }
  vi.useFakeTimers({ toFake: ['Date'] })
})

afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllEnvs()
  rmSync(directory, { recursive: true })
})

function write(key: string, profile = 'default'): void {
  writeFileSync(
    file,
    `[${profile}]\naws_access_key_id=${key}\naws_secret_access_key=s\naws_session_token=t\n`,
  )
}

const later = (ms: number) => vi.setSystemTime(Date.now() + ms)

test('keys in the shared file are read again after ten seconds', async () => {
  const provider = credentialsProvider({})
  write('OLD')
  expect((await provider()).accessKeyId).toBe('OLD')
  write('NEW')
  expect((await provider()).accessKeyId).toBe('OLD')
  later(refreshedMs)
  expect((await provider()).accessKeyId).toBe('NEW')
})

test('missing ones are found as soon as they are there', async () => {
  const provider = credentialsProvider({})
  await expect(provider()).rejects.toMatchObject({ name: 'CredentialsProviderError' })
  write('NEW')
  expect((await provider()).accessKeyId).toBe('NEW')
})

test.each<[string, string, number]>([
  ['without an expiry runs once in a long time', '', 1],
  ['with an expiry runs again only when that comes near', ',"Expiration":"2099-01-01T00:00:00Z"', 1],
])('a credential_process %s', async (_name, expiry, runs) => {
  const log = join(directory, 'runs')
  const output = join(directory, 'output.json')
  writeFileSync(output, `{"Version":1,"AccessKeyId":"P","SecretAccessKey":"s"${expiry}}`)
  writeFileSync(file, `[default]\ncredential_process = sh -c "echo run >> ${log}; cat ${output}"\n`)
  const provider = credentialsProvider({})
  for (let i = 0; i < 5; i++) {
    expect((await provider()).accessKeyId).toBe('P')
    later(refreshedMs)
  }
  expect(readFileSync(log, 'utf8').trim().split('\n')).toHaveLength(runs)
})

test('clients that ask at once share one look', async () => {
  const provider = credentialsProvider({})
  write('KEY')
  const [a, b] = await Promise.all([provider(), provider()])
  expect(a).toBe(b)
})

test('AWS_PROFILE takes precedence over keys in the environment', async () => {
  write('PROFILE', 'lab')
  const keys = { AWS_ACCESS_KEY_ID: 'ENV', AWS_SECRET_ACCESS_KEY: 's' }
  for (const [name, value] of Object.entries(keys)) vi.stubEnv(name, value)
  expect((await credentialsProvider(keys)()).accessKeyId).toBe('ENV')
  expect((await rawCredentials(keys)).accessKeyId).toBe('ENV')
  vi.stubEnv('AWS_PROFILE', 'lab')
  expect((await credentialsProvider({ ...keys, AWS_PROFILE: 'lab' })()).accessKeyId).toBe('PROFILE')
  expect((await rawCredentials({ ...keys, AWS_PROFILE: 'lab' })).accessKeyId).toBe('PROFILE')
})

test.each<[Record<string, string>, boolean]>([
  [{}, false],
  [{ AWS_ACCESS_KEY_ID: 'k' }, false],
  [{ AWS_ACCESS_KEY_ID: 'k', AWS_SECRET_ACCESS_KEY: 's' }, true],
  [{ AWS_ACCESS_KEY_ID: 'k', AWS_SECRET_ACCESS_KEY: 's', AWS_PROFILE: 'lab' }, false],
])('%j: fixed for the life of the process: %s', (environment, expected) => {
  expect(areCredentialsFixed(environment)).toBe(expected)
})

describe('a refresh', () => {
  const minute = 60_000
  type Attempt = PromiseWithResolvers<AwsCredentialIdentity>
  let attempts: Attempt[]

  beforeEach(() => {
    vi.useFakeTimers()
    attempts = []
  })

  const chain = () => {
    const attempt = Promise.withResolvers<AwsCredentialIdentity>()
    attempts.push(attempt)
    return attempt.promise
  }
  const keys = (accessKeyId: string, lifetimeMs: number) => ({
    accessKeyId,
    secretAccessKey: 's',
    expiration: new Date(Date.now() + lifetimeMs),
  })
  const elapse = (ms: number) => vi.advanceTimersByTimeAsync(ms)
  /** @returns the key ID, the error, or undefined while neither has come */
  const ask = (provider: ReturnType<typeof credentialsProvider>) => {
    const asked: { result?: string } = {}
    provider().then(
      ({ accessKeyId }) => {
        asked.result = accessKeyId
      },
      ({ name, message }: Error) => {
        asked.result = `${name}: ${message}`
      },
    )
    return asked
  }
  /** A provider whose credentials are about to expire. */
  const expiring = async () => {
    const provider = credentialsProvider({}, chain)
    const asked = ask(provider)
    attempts[0]?.resolve(keys('OLD', 4 * minute))
    await elapse(0)
    expect(asked.result).toBe('OLD')
    return provider
  }

  test('that hangs keeps nobody waiting while the old credentials are valid', async () => {
    const provider = await expiring()
    const asked = ask(provider)
    await elapse(1_000)
    expect(asked.result).toBeUndefined()
    await elapse(1_000)
    expect(asked.result).toBe('OLD')
    attempts[1]?.resolve(keys('NEW', 60 * minute))
    await elapse(0)
    const next = ask(provider)
    await elapse(0)
    expect(next.result).toBe('NEW')
  })

  test('that fails is no matter while the old credentials are valid', async () => {
    const provider = await expiring()
    const asked = ask(provider)
    attempts[1]?.reject(new Error('the file is being written'))
    await elapse(0)
    expect(asked.result).toBe('OLD')
  })

  test('is a failure about credentials after half a minute when they are not', async () => {
    const provider = await expiring()
    await elapse(5 * minute)
    const asked = ask(provider)
    await elapse(29_000)
    expect(asked.result).toBeUndefined()
    await elapse(1_000)
    expect(asked.result).toBe('CredentialsProviderError: no credentials within 30 s')
  })

  test('that hangs is followed by another one, by three at most', async () => {
    const provider = credentialsProvider({}, chain)
    for (let i = 0; i < 10; i++) {
      ask(provider)
      await elapse(31_000)
    }
    expect(attempts).toHaveLength(3)
    attempts[0]?.reject(new Error('reset'))
    await elapse(0)
    const asked = ask(provider)
    expect(attempts).toHaveLength(4)
    attempts[3]?.resolve(keys('NEW', 60 * minute))
    await elapse(0)
    expect(asked.result).toBe('NEW')
  })
})

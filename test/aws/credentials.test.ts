import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
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

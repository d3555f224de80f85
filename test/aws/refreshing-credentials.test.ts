import type { AwsCredentialIdentity } from '@smithy/types'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { RefreshingCredentials } from '../../src/aws/refreshing-credentials.ts'

const second = 1_000
const minute = 60 * second

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const elapse = (ms: number) => vi.advanceTimersByTimeAsync(ms)
const keys = (accessKeyId: string, lifetimeMs: number): AwsCredentialIdentity => ({
  accessKeyId,
  secretAccessKey: 's',
  expiration: new Date(Date.now() + lifetimeMs),
})

/** @returns the key ID, the error, or undefined while neither has come */
const ask = (provider: RefreshingCredentials) => {
  const asked: { result?: string } = {}
  provider.get().then(
    ({ accessKeyId }) => {
      asked.result = accessKeyId
    },
    ({ name, message }: Error) => {
      asked.result = `${name}: ${message}`
    },
  )
  return asked
}

describe('a refresh', () => {
  type Attempt = PromiseWithResolvers<AwsCredentialIdentity>
  let attempts: Attempt[]

  beforeEach(() => {
    attempts = []
  })

  const files = () => Promise.reject(new Error('no such profile'))
  const fallback = () => {
    const attempt = Promise.withResolvers<AwsCredentialIdentity>()
    attempts.push(attempt)
    return attempt.promise
  }
  /** A provider whose credentials are about to expire. */
  const expiring = async () => {
    const provider = new RefreshingCredentials({ files, fallback })
    const asked = ask(provider)
    await elapse(0)
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
    await elapse(0)
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
    const provider = new RefreshingCredentials({ files, fallback })
    for (let i = 0; i < 10; i++) {
      ask(provider)
      await elapse(31_000)
    }
    expect(attempts).toHaveLength(3)
    attempts[0]?.reject(new Error('reset'))
    await elapse(0)
    const asked = ask(provider)
    await elapse(0)
    expect(attempts).toHaveLength(4)
    attempts[3]?.resolve(keys('NEW', 60 * minute))
    await elapse(0)
    expect(asked.result).toBe('NEW')
  })
})

describe('the shared files', () => {
  const hour = 60 * minute
  let content: string | undefined
  const fallback = async () => keys('ROLE', 6 * hour)
  // Keys without an expiry are read again after ten seconds.
  const files = async () => {
    if (content === undefined) throw new Error('no keys')
    return keys(content, 5 * minute + 10 * second)
  }
  const keyAfter = async (provider: RefreshingCredentials, ms: number) => {
    await elapse(ms)
    return (await provider.get()).accessKeyId
  }

  test('that are empty for a moment are not left for a role', async () => {
    content = 'FILE'
    const provider = new RefreshingCredentials({ files, fallback })
    expect(await keyAfter(provider, 0)).toBe('FILE')
    content = undefined
    expect(await keyAfter(provider, 11 * second)).toBe('FILE')
    expect(await keyAfter(provider, 5 * second)).toBe('FILE')
    content = 'NEW'
    expect(await keyAfter(provider, second)).toBe('NEW')
  })

  test('that have gone are left for a role', async () => {
    content = 'FILE'
    const provider = new RefreshingCredentials({ files, fallback })
    expect(await keyAfter(provider, 0)).toBe('FILE')
    content = undefined
    expect(await keyAfter(provider, 11 * second)).toBe('FILE')
    expect(await keyAfter(provider, 11 * second)).toBe('ROLE')
  })

  test('that come while a role is in use are found within ten seconds', async () => {
    content = undefined
    const provider = new RefreshingCredentials({ files, fallback })
    expect(await keyAfter(provider, 0)).toBe('ROLE')
    content = 'FILE'
    expect(await keyAfter(provider, 9 * second)).toBe('ROLE')
    expect(await keyAfter(provider, second)).toBe('FILE')
  })
})

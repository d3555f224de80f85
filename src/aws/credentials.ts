import { createCredentialChain, fromEnv, fromIni, fromNodeProviderChain } from '@aws-sdk/credential-providers'
import type { AwsCredentialIdentity, AwsCredentialIdentityProvider } from '@smithy/types'

type Environment = Readonly<Record<string, string | undefined>>
type Properties = Parameters<ReturnType<typeof fromIni>>[0]

/** The SDK asks a provider again when less is left until the credentials expire. */
const refreshMs = 5 * 60_000
/** The shared file is read again every ten seconds, and not for every request. */
const staticKeysMs = refreshMs + 10_000
/** Output of a credential_process without an expiry does not expire by AWS's rules; a rejected one must heal, though. */
const processOutputMs = 60 * 60_000

/** A refresh is waited for so long while the credentials at hand are still valid … */
const patienceMs = 2_000
/** … and so long when they are not: STS, the instance's metadata or a credential_process may never answer. */
const maxWaitMs = 30_000
/** So many refreshes that do not answer may hang at once: each may be a process of its own. */
const maxHanging = 3

/**
 * The AWS SDK's own chain (environment, shared files, container, instance role), with two differences. Keys in the shared
 * files are read again, so that session credentials may be replaced there while a worker runs; the SDK itself keeps those
 * without an expiry for ever (aws-sdk-js-v3 issue 3396). A credential_process is run again only when its output expires. And a
 * refresh that fails or hangs keeps no request waiting while the credentials at hand are valid, or longer than half a minute.
 *
 * @param chain the SDK's, unless a test has another one
 */
export function credentialsProvider(
  environment: Environment,
  chain: AwsCredentialIdentityProvider = createCredentialChain(
    ...environmentProviders(environment),
    fromSharedFiles,
    fromNodeProviderChain(),
  ),
): AwsCredentialIdentityProvider {
  let current: AwsCredentialIdentity | undefined
  let hanging = 0
  let pending: { readonly credentials: Promise<AwsCredentialIdentity>; readonly since: number } | undefined
  const refresh = async (properties?: Properties) => {
    hanging++
    try {
      current = await chain(properties)
      return current
    } finally {
      hanging--
    }
  }
  // Shared by the clients of a worker, each of which asks for itself.
  return async (properties?: Properties) => {
    if (current && !isExpiring(current, refreshMs)) return current
    const isStale = pending !== undefined && performance.now() - pending.since >= maxWaitMs
    if (!pending || (isStale && hanging < maxHanging)) {
      const started = { credentials: refresh(properties), since: performance.now() }
      pending = started
      const forget = () => {
        if (pending === started) pending = undefined
      }
      started.credentials.then(forget, forget)
    }
    const valid = current && !isExpiring(current, 0) ? current : undefined
    try {
      return await within(valid ? patienceMs : maxWaitMs, pending.credentials)
    } catch (error) {
      if (valid) return valid
      throw error
    }
  }
}

/** @throws {Error} at the deadline, by the name of the SDK's own errors about credentials */
async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const message = `no credentials within ${ms / 1000} s`
  const timer = setTimeout(() => {
    reject(Object.assign(new Error(message), { name: 'CredentialsProviderError' }))
  }, ms)
  return Promise.race([work, promise]).finally(() => clearTimeout(timer))
}

/**
 * The same chain, with no expiry but the credentials' own: for looking at them.
 *
 * @param caller the client that they are for: as it does, STS is reached through a proxy
 */
export function rawCredentials(
  environment: Environment,
  caller?: { readonly config: NonNullable<NonNullable<Properties>['callerClientConfig']> },
): Promise<AwsCredentialIdentity> {
  const providers = environmentProviders(environment)
  const chain = createCredentialChain(...providers, fromIni({ ignoreCache: true }), fromNodeProviderChain())
  return chain(caller && { callerClientConfig: caller.config })
}

/**
 * Whether the credentials stand in environment variables. Those of a running process never change: waiting for new ones is
 * pointless.
 */
export function areCredentialsFixed(environment: Environment): boolean {
  const { AWS_PROFILE, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = environment
  return !AWS_PROFILE && Boolean(AWS_ACCESS_KEY_ID) && Boolean(AWS_SECRET_ACCESS_KEY)
}

/** As in the SDK's chain, AWS_PROFILE takes precedence over keys in the environment. */
function environmentProviders(environment: Environment): AwsCredentialIdentityProvider[] {
  return environment.AWS_PROFILE ? [] : [fromEnv()]
}

async function fromSharedFiles(properties?: Properties): Promise<AwsCredentialIdentity> {
  const credentials = await fromIni({ ignoreCache: true })(properties)
  if (credentials.expiration) return credentials
  const lifetimeMs = isFromProcess(credentials) ? processOutputMs : staticKeysMs
  return { ...credentials, expiration: new Date(Date.now() + lifetimeMs) }
}

function isExpiring({ expiration }: AwsCredentialIdentity, withinMs: number): boolean {
  return expiration !== undefined && expiration.getTime() - Date.now() < withinMs
}

/** The SDK notes in `$source` where credentials came from. */
function isFromProcess(credentials: AwsCredentialIdentity): boolean {
  const marks = '$source' in credentials ? Object.keys(credentials.$source ?? {}) : []
  return marks.some((mark) => mark.includes('PROCESS'))
}

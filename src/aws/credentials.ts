import { createCredentialChain, fromEnv, fromIni, fromNodeProviderChain } from '@aws-sdk/credential-providers'
import type { AwsCredentialIdentity, AwsCredentialIdentityProvider } from '@smithy/types'
import { RefreshingCredentials, refreshMs } from './refreshing-credentials.ts'

type Environment = Readonly<Record<string, string | undefined>>
type Properties = Parameters<ReturnType<typeof fromIni>>[0]

/** Keys of the shared files are valid for ten seconds; then they are read again, and not for every request. */
const staticKeysMs = refreshMs + 10_000
/** Output of a credential_process without an expiry does not expire by AWS's rules; a rejected one must heal, though. */
const processOutputMs = 60 * 60_000

/**
 * The AWS SDK's own chain (environment, shared files, container, instance role), with two differences. Keys in the shared
 * files are read again, so that session credentials may be replaced there while a worker runs; the SDK itself keeps those
 * without an expiry for ever (aws-sdk-js-v3 issue 3396). A credential_process is run again only when its output expires. And no
 * source that fails or hangs is in the way of a request: {@link RefreshingCredentials}.
 */
export function credentialsProvider(environment: Environment): AwsCredentialIdentityProvider {
  const fallback = fromNodeProviderChain()
  const sources = { files: fromSharedFiles, fallback }
  const refreshing = new RefreshingCredentials(sources)
  return areCredentialsFixed(environment) ? fromEnv() : (properties) => refreshing.get(properties)
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

/** The SDK notes in `$source` where credentials came from. */
function isFromProcess(credentials: AwsCredentialIdentity): boolean {
  const marks = '$source' in credentials ? Object.keys(credentials.$source ?? {}) : []
  return marks.some((mark) => mark.includes('PROCESS'))
}

import { createCredentialChain, fromEnv, fromIni, fromNodeProviderChain } from '@aws-sdk/credential-providers'
import type { AwsCredentialIdentityProvider } from '@smithy/types'

/**
 * The SDK asks a provider again when less than five minutes are left; a little more than that makes it look
 * into the file every ten seconds and not at every request.
 */
const rereadMilliseconds = 5 * 60_000 + 10_000

/**
 * The AWS SDK's own chain (environment, shared files, container, instance role), but for one thing: session
 * credentials pasted into the shared file are read again when they have been replaced. The SDK itself keeps
 * those without an expiry for ever (aws-sdk-js-v3 issue 3396).
 */
export function credentialsProvider(): AwsCredentialIdentityProvider {
  return createCredentialChain(fromEnv(), rereadSharedFile, fromNodeProviderChain())
}

/** The same chain, with no expiry but the credentials' own: for looking at them. */
export function credentialsAsTheyAre(): AwsCredentialIdentityProvider {
  return createCredentialChain(fromEnv(), fromIni({ ignoreCache: true }), fromNodeProviderChain())
}

async function rereadSharedFile() {
  const credentials = await fromIni({ ignoreCache: true })()
  return { ...credentials, expiration: credentials.expiration ?? new Date(Date.now() + rereadMilliseconds) }
}

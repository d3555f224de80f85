import { GetQueueUrlCommand, type SQSClient } from '@aws-sdk/client-sqs'
import type { AwsCredentialIdentity } from '@smithy/types'
import type { Environment } from '../aws/clients.ts'
import { areCredentialsFixed, rawCredentials } from '../aws/credentials.ts'
import { type AwsError, classify } from '../aws/errors.ts'
import { credentialsRemedy, explainFailure } from '../aws/explain.ts'
import { queueName } from '../aws/queue-attributes.ts'
import { findInstallation } from '../host/installation.ts'
import type { Owner } from '../host/users.ts'
import { checkFilePermissions, credentialsFile, explainMissing, isOfAnotherUser } from './credentials-file.ts'
import { type Finding, fail, isUnseen, ok, warn } from './finding.ts'
import type { Host } from './host.ts'
import { checkHostFile } from './host-credentials.ts'

const subject = 'credentials'
/** Enough to replace them before a run stops for want of them. */
const minLeftMs = 15 * 60_000
/** The SDK marks credentials with how it found them. */
const sources: readonly (readonly [mark: string, source: string])[] = [
  ['CREDENTIALS_ENV_VARS', 'from the environment'],
  ['CREDENTIALS_PROCESS', 'from a credential process'],
  ['CREDENTIALS_PROFILE', 'from the shared credentials file'],
  ['CREDENTIALS_HTTP', "from the container's role"],
]

export interface CredentialsQuestion {
  readonly sqs: SQSClient
  readonly queue: string
  readonly environment: Environment
  /** the user of the workers, as far as the state directory shows it */
  readonly worker: Owner | undefined
  /** where imgpipe is installed */
  readonly host?: Host | undefined
}

/**
 * Whether there are credentials, whether AWS accepts them, and until when. SQS is asked for the queue: a refusal for want
 * of a permission, or because there is no such queue, proves that it knows who asks.
 */
export async function checkCredentials(
  question: CredentialsQuestion,
  signal: AbortSignal,
): Promise<Finding[]> {
  const { environment, worker, host } = question
  const onHost = host && !areCredentialsFixed(environment) ? checkHostFile(host, environment) : []
  const isBroken = onHost.some(({ verdict }) => verdict === 'fail')
  if (onHost.some(isUnseen) || (isBroken && !host?.isUserOfUnits)) return onHost
  let credentials: AwsCredentialIdentity
  try {
    credentials = await rawCredentials(environment, question.sqs)
  } catch (error) {
    return isBroken ? onHost : [unobtainable(error) ?? explainMissing(environment)]
  }
  const isFromFile = marksOf(credentials).some((mark) => mark.startsWith('CREDENTIALS_PROFILE'))
  if (isBroken && isFromFile) return onHost
  const permissions =
    isFromFile && !host ? checkFilePermissions(credentialsFile(environment), worker) : undefined
  if (permissions?.verdict === 'fail') return [permissions]
  const unusable = isUnusable(credentials, Date.now()) ?? (await checkAccepted(credentials, question, signal))
  const more = [...(permissions ? [permissions] : []), ...ownFile(isFromFile, question)]
  return [unusable, ...onHost.map(unused), ...more]
}

/** A provider that is configured has failed, such as STS for a role. Without any, the SDK throws an error of its own. */
function unobtainable(error: unknown): Finding | undefined {
  if (!(error instanceof Error) || error.name === 'CredentialsProviderError') return undefined
  const reason = '$metadata' in error ? 'permission' : 'unavailable'
  const remedy = 'correct the role or the process in the AWS configuration file, or the way to STS'
  return fail(subject, reason, `they cannot be obtained: ${error.message || error.name}`, remedy)
}

/** The units pass over a file that they cannot use, and take the credentials of the role. */
function unused(finding: Finding): Finding {
  if (finding.verdict !== 'fail') return finding
  return warn(finding.subject, `not used: ${finding.detail}`, finding.remedy)
}

function isUnusable(credentials: AwsCredentialIdentity, now: number): Finding | undefined {
  const { accessKeyId, sessionToken, expiration } = credentials
  if (accessKeyId.startsWith('ASIA') && sessionToken === undefined) {
    const detail = `${described(credentials)}: temporary credentials without their session token`
    const remedy = findInstallation() ? credentialsRemedy('rejected') : 'copy the session token too'
    return fail(subject, 'permission', detail, remedy)
  }
  if (!expiration || isAutoRefreshed(credentials)) return undefined
  const leftMs = expiration.getTime() - now
  if (leftMs > minLeftMs) return undefined
  const problem = leftMs <= 0 ? 'have expired' : `expire in ${Math.floor(leftMs / 60_000)} minutes`
  return fail(subject, 'permission', `${described(credentials)} ${problem}`, replaceRemedy(credentials))
}

async function checkAccepted(
  credentials: AwsCredentialIdentity,
  { sqs, queue }: CredentialsQuestion,
  signal: AbortSignal,
): Promise<Finding> {
  const name = described(credentials)
  try {
    await sqs.send(new GetQueueUrlCommand({ QueueName: queueName(queue) }), { abortSignal: signal })
  } catch (error) {
    const failure = classify(error, { service: 'sqs', operation: 'GetQueueUrl' })
    if (failure.kind === 'credentials') return rejected(credentials, failure)
    if (!['denied', 'missing', 'throttled'].includes(failure.kind))
      return ok(subject, `${name}, not verified: SQS does not answer${expiryOf(credentials)}`)
  }
  return ok(subject, `${name}, accepted${expiryOf(credentials)}`)
}

function rejected(credentials: AwsCredentialIdentity, failure: AwsError): Finding {
  const { reason, problem, remedy } = explainFailure(failure, { permission: 'sqs:GetQueueUrl', missing: '' })
  const isExpired = failure.code.startsWith('ExpiredToken')
  const better = isExpired ? replaceRemedy(credentials) : remedy
  return fail(subject, reason, `${described(credentials)}: ${problem}`, better)
}

/** Credentials in the environment of a process that runs never change. */
function replaceRemedy(credentials: AwsCredentialIdentity): string {
  const isInEnvironment = marksOf(credentials).includes('CREDENTIALS_ENV_VARS')
  if (findInstallation()) {
    const first = isInEnvironment ? 'remove them from the environment file of the units, then ' : ''
    return `${first}${credentialsRemedy('expired')}`
  }
  if (isInEnvironment) return 'export new ones and start again'
  return 'replace them in the same file; running workers pick up the new credentials automatically'
}

function ownFile(isFromFile: boolean, { environment, worker }: CredentialsQuestion): Finding[] {
  if (!isFromFile || !isOfAnotherUser(environment, worker)) return []
  const detail = `${credentialsFile(environment)} is not read by ${worker?.name}, the user of the workers`
  return [warn(subject, detail, 'put the credentials into the file of the service, or attach a role')]
}

/** `ASIA…WXYZ from the shared credentials file`. An access key ID is no secret. */
function described(credentials: AwsCredentialIdentity): string {
  const { accessKeyId: id } = credentials
  const shown = id.length > 8 ? `${id.slice(0, 4)}…${id.slice(-4)}` : id
  const marks = marksOf(credentials)
  const known = sources.find(([mark]) => marks.some((each) => each.startsWith(mark)))?.[1]
  const source = known ?? (credentials.expiration ? 'from the instance role' : undefined)
  return source === undefined ? shown : `${shown} ${source}`
}

function marksOf(credentials: AwsCredentialIdentity): string[] {
  return '$source' in credentials ? Object.keys(credentials.$source ?? {}) : []
}

/** Those of a role; keys in the environment or in a file are replaced by a person. */
function isAutoRefreshed(credentials: AwsCredentialIdentity): boolean {
  return credentials.expiration !== undefined && !marksOf(credentials).includes('CREDENTIALS_ENV_VARS')
}

function expiryOf(credentials: AwsCredentialIdentity): string {
  if (isAutoRefreshed(credentials)) return ', refreshed automatically'
  const { expiration, sessionToken } = credentials
  if (expiration) return `, valid until ${expiration.toISOString().replace(/\.\d+Z$/, 'Z')}`
  return sessionToken === undefined ? '' : ', temporary (expiry time not known)'
}

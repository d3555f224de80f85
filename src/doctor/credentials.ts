import { GetQueueUrlCommand, type SQSClient } from '@aws-sdk/client-sqs'
import type { AwsCredentialIdentity } from '@smithy/types'
import type { Environment } from '../aws/clients.ts'
import { queueName } from '../aws/create-queues.ts'
import { rawCredentials } from '../aws/credentials.ts'
import { type AwsError, classify } from '../aws/errors.ts'
import { explainFailure } from '../aws/explain.ts'
import { checkFilePermissions, credentialsFile, explainMissing, isOfAnotherUser } from './credentials-file.ts'
import { type Finding, fail, ok, warn } from './finding.ts'
import type { Owner } from './users.ts'

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
}

/**
 * Whether there are credentials, whether AWS accepts them, and until when. SQS is asked for the queue: a refusal for want
 * of a permission, or because there is no such queue, proves that it knows who asks.
 */
export async function checkCredentials(
  question: CredentialsQuestion,
  signal: AbortSignal,
): Promise<Finding[]> {
  const { environment, worker } = question
  let credentials: AwsCredentialIdentity
  try {
    credentials = await rawCredentials(environment)
  } catch {
    return [explainMissing(environment)]
  }
  const isFromFile = marksOf(credentials).some((mark) => mark.startsWith('CREDENTIALS_PROFILE'))
  const permissions = isFromFile ? checkFilePermissions(credentialsFile(environment), worker) : undefined
  if (permissions?.verdict === 'fail') return [permissions]
  const unusable = isUnusable(credentials, Date.now()) ?? (await checkAccepted(credentials, question, signal))
  return [unusable, ...(permissions ? [permissions] : []), ...ownFile(isFromFile, question)]
}

function isUnusable(credentials: AwsCredentialIdentity, now: number): Finding | undefined {
  const { accessKeyId, sessionToken, expiration } = credentials
  if (accessKeyId.startsWith('ASIA') && sessionToken === undefined) {
    const detail = `${described(credentials)}: temporary credentials without their session token`
    return fail(subject, 'permission', detail, 'copy the session token too')
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
  if (marksOf(credentials).includes('CREDENTIALS_ENV_VARS')) return 'export new ones and start again'
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
  const source = known ?? (credentials.expiration ? 'from a role' : undefined)
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

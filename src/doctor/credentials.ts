import type { SQSClient } from '@aws-sdk/client-sqs'
import { GetQueueUrlCommand } from '@aws-sdk/client-sqs'
import type { AwsCredentialIdentity } from '@smithy/types'
import { credentialsAsTheyAre } from '../aws/credentials.ts'
import { toFault } from '../aws/errors.ts'
import { queueName } from '../aws/make-queues.ts'
import { type Finding, refused, right, wrong } from './finding.ts'

const subject = 'credentials'
/** Enough to put new ones there before a run ends for want of them. */
const leastMilliseconds = 15 * 60_000
/** What the SDK calls the ways that it has found credentials by. */
const sources: readonly (readonly [mark: string, words: string])[] = [
  ['CREDENTIALS_ENV_VARS', 'from the environment'],
  ['CREDENTIALS_PROFILE', 'from the shared credentials file'],
  ['CREDENTIALS_IMDS', "from the instance's role"],
  ['CREDENTIALS_HTTP', "from the container's role"],
  ['CREDENTIALS_PROCESS', 'from a credential process'],
]

/**
 * Whether there are credentials, whether AWS accepts them, and until when. SQS is asked for the queue: a refusal for
 * want of rights, or because there is no such queue, proves that it knows who asks.
 */
export async function checkCredentials(
  sqs: SQSClient,
  queue: string,
  abortSignal: AbortSignal,
): Promise<Finding> {
  const options = { rights: 'sqs:GetQueueUrl', missing: '' }
  try {
    const credentials = await credentialsAsTheyAre()()
    const late = expiry(credentials, Date.now())
    if (late) return late
    const accepted = await isAccepted(sqs, queue, abortSignal)
    return right(subject, `${described(credentials)}, ${accepted}${until(credentials)}`)
  } catch (error) {
    const { said, ...rest } = refused(subject, '', toFault(error), options)
    return { ...rest, said: said.replace(/^: /, '') }
  }
}

async function isAccepted(sqs: SQSClient, queue: string, abortSignal: AbortSignal): Promise<string> {
  const command = new GetQueueUrlCommand({ QueueName: queueName(queue) })
  try {
    await sqs.send(command, { abortSignal })
    return 'accepted'
  } catch (error) {
    const fault = toFault(error)
    if (fault.kind === 'credentials') throw fault
    const isKnown = fault.kind === 'denied' || fault.kind === 'missing' || fault.kind === 'throttle'
    return isKnown ? 'accepted' : 'not yet tried, for SQS does not answer'
  }
}

function described(credentials: AwsCredentialIdentity): string {
  const marks = '$source' in credentials ? Object.keys(credentials.$source as object) : []
  const source = sources.find(([mark]) => marks.some((known) => known.startsWith(mark)))?.[1]
  const key = `${credentials.accessKeyId.slice(0, 4)}…${credentials.accessKeyId.slice(-4)}`
  return `${key}${source === undefined ? '' : ` ${source}`}`
}

/** A role's credentials are renewed by themselves; those that somebody has put somewhere are not. */
function expiry(credentials: AwsCredentialIdentity, now: number): Finding | undefined {
  const left = credentials.expiration ? credentials.expiration.getTime() - now : Number.POSITIVE_INFINITY
  if (left > leastMilliseconds || isRenewed(credentials)) return undefined
  const remedy = 'put new ones where these came from; running workers take them up by themselves'
  const said = left <= 0 ? 'have expired' : `expire in ${Math.floor(left / 60_000)} minutes`
  return wrong(subject, 'rights', `${described(credentials)} ${said}`, remedy)
}

function isRenewed(credentials: AwsCredentialIdentity): boolean {
  const marks = '$source' in credentials ? Object.keys(credentials.$source as object) : []
  return marks.some((mark) => /IMDS|HTTP|PROCESS|SSO|ASSUME_ROLE/.test(mark))
}

function until(credentials: AwsCredentialIdentity): string {
  const { expiration, sessionToken } = credentials
  if (isRenewed(credentials)) return ', renewed by themselves'
  if (expiration) return `, until ${expiration.toLocaleString()}`
  return sessionToken === undefined ? '' : '; session credentials, which end some time that they do not tell'
}

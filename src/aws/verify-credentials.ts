import { GetQueueUrlCommand } from '@aws-sdk/client-sqs'
import { ImgpipeError } from '../host/exit-codes.ts'
import { ShutdownError } from '../host/shutdown.ts'
import type { Clients } from './clients.ts'
import { AwsError, classify } from './errors.ts'
import { explainFailure } from './explain.ts'
import { queueName } from './queue-attributes.ts'
import { S3Images } from './s3.ts'

export interface VerificationSettings {
  readonly bucket: string
  readonly prefix: string
  readonly queue: string
}

/**
 * Asks SQS for the queue, which costs next to nothing: a refusal for want of a permission, or because there is no such queue,
 * proves that AWS knows the credentials. Where SQS refuses, S3 is asked too: whoever may do nothing has been locked out.
 *
 * @returns what is missing although AWS knows them; undefined when nothing is
 * @throws {ImgpipeError} `permission` when they are expired, wrong or locked out; `unavailable` when nobody could be asked
 */
export async function verifyCredentials(
  { sqs, s3 }: Clients,
  { queue, bucket, prefix }: VerificationSettings,
  signal: AbortSignal,
): Promise<string | undefined> {
  const name = queueName(queue)
  const find = () => sqs.send(new GetQueueUrlCommand({ QueueName: name }), { abortSignal: signal })
  const queueFailure = await failureOf('sqs', 'GetQueueUrl', find)
  if (queueFailure === undefined || queueFailure.kind === 'throttled') return undefined
  if (queueFailure.kind === 'missing')
    return `the queue "${name}" does not exist: create it with "imgpipe setup"`
  if (queueFailure.kind !== 'denied') throw refusal(queueFailure)
  const images = new S3Images(s3, { forced: signal })
  const bucketFailure = await failureOf('s3', 'ListObjectsV2', () =>
    images.listPage({ bucket, prefix, after: '' }),
  )
  if (bucketFailure?.kind === 'denied') throw lockedOut(queueFailure, name, bucket)
  return `access to the queue "${name}" is denied: grant sqs:GetQueueUrl on it`
}

async function failureOf(
  service: 'sqs' | 's3',
  operation: string,
  request: () => Promise<unknown>,
): Promise<AwsError | undefined> {
  try {
    await request()
    return undefined
  } catch (error) {
    // The S3 adapter takes the deadline for a shutdown.
    if (error instanceof ShutdownError)
      return new AwsError('timeout', `${operation}: no answer in time`, { service, operation })
    return classify(error, { service, operation })
  }
}

function refusal(failure: AwsError): ImgpipeError {
  const { reason, problem, remedy } = explainFailure(failure, { permission: '', missing: '' })
  if (failure.kind === 'credentials')
    return new ImgpipeError(reason, `AWS does not accept them: ${problem}; ${advice(failure)}.`)
  return new ImgpipeError(reason, `They cannot be checked: ${problem}; ${remedy}, or use --no-check.`)
}

function advice({ code }: AwsError): string {
  return code.startsWith('ExpiredToken')
    ? 'start the session again and copy its new credentials'
    : 'copy the access key, the secret key and the session token again, all three from the same place'
}

function lockedOut({ message }: AwsError, queue: string, bucket: string): ImgpipeError {
  const denied = `AWS knows them but denies both the queue "${queue}" and the bucket "${bucket}" (${message})`
  const remedy = 'grant the permissions, or start the session of the learner lab again if it has ended'
  return new ImgpipeError('permission', `${denied}: ${remedy}, or use --no-check.`)
}

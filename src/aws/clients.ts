import { RekognitionClient } from '@aws-sdk/client-rekognition'
import { S3Client } from '@aws-sdk/client-s3'
import { SQSClient } from '@aws-sdk/client-sqs'
import type { AwsCredentialIdentity, FinalizeRequestMiddleware, MiddlewareStack } from '@smithy/types'
import type { CallCounts } from '../protocol/outcomes.ts'
import { credentialsProvider } from './credentials.ts'

/** The three services of one worker, and how many requests it has sent to them. */
export interface Clients {
  readonly s3: S3Client
  readonly sqs: SQSClient
  readonly rekognition: RekognitionClient
  readonly calls: CallCounter
  close(): void
}

/** An answer that takes longer than this is taken for none: the SDK itself waits for ever. */
const answerMilliseconds = 30_000
const connectMilliseconds = 5_000
/** As many as pictures may ever be in flight, and some for the rest. */
const mostSockets = 1100

/**
 * Clients whose every call ends: with an answer, an error or a timeout. Rekognition gets no retries from the
 * SDK, because the pace has to see each throttled call; the others keep the SDK's standard three attempts.
 * Endpoints and credentials come from where the SDK looks for them.
 *
 * @param where overrides them, for a cloud of this process's own
 */
export function createClients(
  { region }: { region: string },
  where: { endpoint?: string; credentials?: AwsCredentialIdentity } = {},
): Clients {
  const common = {
    region,
    credentials: credentialsProvider(),
    ...where,
    requestHandler: {
      connectionTimeout: connectMilliseconds,
      requestTimeout: answerMilliseconds,
      throwOnRequestTimeout: true,
      socketTimeout: answerMilliseconds,
      httpAgent: { keepAlive: true, maxSockets: mostSockets },
      httpsAgent: { keepAlive: true, maxSockets: mostSockets },
    },
  }
  const s3 = new S3Client({ ...common, followRegionRedirects: true })
  // Without this the SDK sends to the host inside the queue's URL, and an endpoint that was set counts for nothing.
  const sqs = new SQSClient({ ...common, useQueueUrlAsEndpoint: false })
  const rekognition = new RekognitionClient({ ...common, maxAttempts: 1 })
  const calls = new CallCounter()
  for (const client of [s3, sqs, rekognition]) calls.watch(client)
  const close = () => {
    for (const client of [s3, sqs, rekognition]) client.destroy()
  }
  return { s3, sqs, rekognition, calls, close }
}

/** Counts requests by operation as they leave, retries among them: this is what is paid for. */
export class CallCounter {
  readonly #counts = new Map<string, number>()

  watch(client: S3Client | SQSClient | RekognitionClient): void {
    const count: FinalizeRequestMiddleware<object, object> = (next, { commandName }) => {
      const operation = String(commandName).replace(/Command$/, '')
      return (request) => {
        this.#counts.set(operation, (this.#counts.get(operation) ?? 0) + 1)
        return next(request)
      }
    }
    // The three clients differ only in the types of their inputs, which are not looked at here. Low priority
    // puts it after the retry middleware, so that each attempt is seen.
    const stack = client.middlewareStack as unknown as MiddlewareStack<object, object>
    stack.add(count, { step: 'finalizeRequest', priority: 'low', name: 'imgpipeCallCounter' })
  }

  /** Continues counts of an earlier process on the same run. */
  add(earlier: CallCounts): void {
    for (const [operation, count] of Object.entries(earlier)) {
      this.#counts.set(operation, (this.#counts.get(operation) ?? 0) + count)
    }
  }

  get counts(): CallCounts {
    return Object.fromEntries(this.#counts)
  }
}

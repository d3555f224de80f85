import { Readable } from 'node:stream'
import type { RekognitionClient } from '@aws-sdk/client-rekognition'
import type { S3Client } from '@aws-sdk/client-s3'
import type { SQSClient } from '@aws-sdk/client-sqs'
import type { FinalizeRequestMiddleware, MiddlewareStack } from '@smithy/types'
import type { CallCounts } from '../protocol/outcomes.ts'
import type { Service } from './error-codes.ts'
import { classify } from './errors.ts'
import { isCompleteAnswer } from './rekognition.ts'

/** What calls of one Rekognition operation came to. */
export interface CallResults {
  /** with a complete answer: these are billed */
  readonly answered: number
  readonly throttled: number
  readonly failed: number
}

/** A request in flight. */
export interface PendingRequest {
  readonly operation: string
  readonly ageMs: number
}

interface Flight {
  readonly operation: string
  /** monotonic ms; of a long poll the time when its answer is due */
  readonly since: number
}

/** An account of the requests of a worker's clients, as they leave and as their answers come. */
export class CallCounter {
  readonly #counts = new Map<string, number>()
  readonly #results = new Map<string, { answered: number; throttled: number; failed: number }>()
  readonly #inFlight = new Set<Flight>()
  #activity = 0

  watch(client: S3Client | SQSClient | RekognitionClient, service: Service): void {
    const measure: FinalizeRequestMiddleware<object, object> = (next, { commandName }) => {
      const operation = String(commandName).replace(/Command$/, '')
      return async (args) => {
        const flight = this.#leave(operation, args.input)
        try {
          const result = await next(args)
          this.#activity++
          if (service === 'rekognition')
            this.#count(operation, isCompleteAnswer(result.output) ? 'answered' : 'failed')
          this.#land(flight, result.output)
          return result
        } catch (error) {
          this.#landed(flight)
          const { status, kind } = classify(error, { service, operation })
          if (status !== undefined) this.#activity++
          if (service === 'rekognition') this.#count(operation, kind === 'throttled' ? 'throttled' : 'failed')
          throw error
        }
      }
    }
    // The three clients differ only in the types of their inputs. Low priority: behind whatever signs and repeats.
    const stack = client.middlewareStack as unknown as MiddlewareStack<object, object>
    stack.add(measure, { step: 'finalizeRequest', priority: 'low', name: 'imgpipeCallCounter' })
  }

  /** Requests that were sent, by operation. */
  get counts(): CallCounts {
    return Object.fromEntries(this.#counts)
  }

  /** What the calls of each Rekognition operation came to. */
  get results(): Readonly<Record<string, CallResults>> {
    return Object.fromEntries(this.#results)
  }

  /** Grows with every answer of any kind: a worker whose number stands still is waiting. */
  get activity(): number {
    return this.#activity
  }

  /** The request that has been in flight the longest, if that is `minAgeMs`. A long poll counts from the end of its wait. */
  oldestPending(minAgeMs: number): PendingRequest | undefined {
    let oldest: Flight | undefined
    for (const flight of this.#inFlight) {
      if (!oldest || flight.since < oldest.since) oldest = flight
    }
    if (!oldest) return undefined
    const ageMs = performance.now() - oldest.since
    return ageMs < minAgeMs ? undefined : { operation: oldest.operation, ageMs }
  }

  #leave(operation: string, input: object): Flight {
    this.#counts.set(operation, (this.#counts.get(operation) ?? 0) + 1)
    const waitSeconds = 'WaitTimeSeconds' in input ? Number(input.WaitTimeSeconds) || 0 : 0
    const flight = { operation, since: performance.now() + waitSeconds * 1000 }
    this.#inFlight.add(flight)
    return flight
  }

  /** An answer whose body streams is in flight until its end. */
  #land(flight: Flight, output: object): void {
    const body = 'Body' in output ? output.Body : undefined
    if (body instanceof Readable && !body.closed) body.once('close', () => this.#landed(flight))
    else this.#landed(flight)
  }

  #landed(flight: Flight): void {
    this.#inFlight.delete(flight)
  }

  #count(operation: string, result: keyof CallResults): void {
    const results = this.#results.get(operation) ?? { answered: 0, throttled: 0, failed: 0 }
    results[result]++
    this.#results.set(operation, results)
  }
}

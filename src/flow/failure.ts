/**
 * What a failed attempt means for the work; every decision above the AWS adapters is made by the kind alone.
 * - throttled: slower, then again
 * - transient: outage, reset connection, an answer that is not the service's; again after a pause
 * - timeout: no answer within the limit; again after a pause
 * - host: this machine's fault (file descriptors, memory, name resolution); again, counted against nobody
 * - denied: the service confirmed that a permission is missing
 * - missing: the service confirmed that the bucket or the queue does not exist
 * - settings: the service confirmed that the request cannot work with these settings
 * - credentials: missing, expired or rejected; wait for new ones
 * - unreadable: Rekognition could not read the S3 object; HeadObject tells why
 * - subject: a confirmed fact about the image or its object; trying again cannot help
 */
export type FailureKind =
  | 'throttled'
  | 'transient'
  | 'timeout'
  | 'host'
  | 'denied'
  | 'missing'
  | 'settings'
  | 'credentials'
  | 'unreadable'
  | 'subject'

/** A failed attempt. Its message is one clause in words that names operation, status and code. */
export class Failure extends Error {
  readonly kind: FailureKind
  /** such as `GetObject`; failures are attributed per operation */
  readonly operation: string

  constructor(kind: FailureKind, operation: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'Failure'
    this.kind = kind
    this.operation = operation
  }
}

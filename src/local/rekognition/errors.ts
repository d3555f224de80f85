/** Every error's HTTP status: all are the caller's fault but one. */
export const statusOf = {
  ImageTooLargeException: 400,
  InternalServerError: 500,
  InvalidImageFormatException: 400,
  InvalidParameterException: 400,
  InvalidS3ObjectException: 400,
  ProvisionedThroughputExceededException: 400,
  SerializationException: 400,
  UnknownOperationException: 400,
} as const

export type RekognitionErrorName = keyof typeof statusOf

/** The protocol's own errors are no part of the service's model and carry neither Code nor Logref. */
const protocolErrors: ReadonlySet<RekognitionErrorName> = new Set([
  'SerializationException',
  'UnknownOperationException',
])

/**
 * An answer other than 200, by Amazon's name for it.
 * (https://docs.aws.amazon.com/rekognition/latest/dg/error-handling.html)
 */
export class RekognitionError extends Error {
  override readonly name: RekognitionErrorName
  readonly status: number

  constructor(name: RekognitionErrorName, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = name
    this.status = statusOf[name]
  }

  /** The answer's body, as Amazon writes it. */
  body(requestId: string): Record<string, string> {
    if (protocolErrors.has(this.name)) return { __type: this.name, message: this.message }
    return { __type: this.name, Code: this.name, Logref: requestId, Message: this.message }
  }
}

/** Amazon's sentence for whatever a request's parameters have wrong, followed by what it is. */
export function invalidParameter(what: string): RekognitionError {
  return new RekognitionError('InvalidParameterException', `Request has invalid parameters: ${what}`)
}

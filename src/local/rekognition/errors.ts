/** The HTTP status of every error: all but one are client errors. */
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

/** Protocol errors are not part of the service's model and have neither Code nor Logref. */
const protocolErrors: ReadonlySet<RekognitionErrorName> = new Set([
  'SerializationException',
  'UnknownOperationException',
])

/**
 * An error response, by Amazon's name for it
 * (https://docs.aws.amazon.com/rekognition/latest/dg/error-handling.html).
 */
export class RekognitionError extends Error {
  override readonly name: RekognitionErrorName
  readonly status: number

  constructor(name: RekognitionErrorName, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = name
    this.status = statusOf[name]
  }

  /** The response body, in Amazon's format. */
  body(requestId: string): Record<string, string> {
    if (protocolErrors.has(this.name)) return { __type: this.name, message: this.message }
    return { __type: this.name, Code: this.name, Logref: requestId, Message: this.message }
  }
}

/** Amazon's message for invalid parameters, followed by the details. */
export function invalidParameter(what: string): RekognitionError {
  return new RekognitionError('InvalidParameterException', `Request has invalid parameters: ${what}`)
}

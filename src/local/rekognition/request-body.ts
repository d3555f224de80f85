import type { IncomingMessage } from 'node:http'
import { RekognitionError } from './errors.ts'
import { maxBytesInRequest, tooLarge } from './image.ts'
import { asMembers, type Members } from './request-shape.ts'

/** The largest image in base64, plus the rest of the request. */
const maxBodyBytes = Math.ceil(maxBytesInRequest / 3) * 4 + 1024 * 1024

/**
 * The request's JSON object. Bytes beyond the limit are read, because most clients wait for the response only after
 * sending the whole request, but are discarded.
 *
 * @throws {RekognitionError} ImageTooLargeException (only an image makes a request that large), SerializationException
 * @throws {Error} when the client disconnects before its request is complete
 */
export async function readBody(request: IncomingMessage): Promise<Members> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request) {
    bytes += chunk.length
    if (bytes <= maxBodyBytes) chunks.push(chunk)
  }
  if (bytes > maxBodyBytes) throw tooLarge(Math.floor((bytes / 4) * 3), maxBytesInRequest, 'in a request')
  return asMembers(parse(Buffer.concat(chunks).toString('utf8')), 'The request')
}

function parse(body: string): unknown {
  // An empty body is an empty request.
  if (body === '') return {}
  try {
    return JSON.parse(body)
  } catch (cause) {
    throw new RekognitionError('SerializationException', 'The request is not valid JSON.', { cause })
  }
}

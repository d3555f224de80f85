import type { IncomingMessage } from 'node:http'
import { RekognitionError } from './errors.ts'
import { maxBytesInRequest, tooLarge } from './image.ts'
import { asMembers, type Members } from './request-shape.ts'

/** Base64 of the largest picture, and room for the rest of the request. */
const maxBodyBytes = Math.ceil(maxBytesInRequest / 3) * 4 + 1024 * 1024

/**
 * The request's JSON object. What comes beyond the limit is read, for most clients listen only after they have
 * sent all, but not kept.
 *
 * @throws {RekognitionError} ImageTooLargeException (nothing else makes a request so large), SerializationException
 * @throws {Error} when the client goes away before its request is complete
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
    throw new RekognitionError('SerializationException', 'The request is no JSON.', { cause })
  }
}

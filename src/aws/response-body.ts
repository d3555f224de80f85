import { addAbortSignal, Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'

/**
 * Reads the body of an answer to its end. It has to be read at once: one that is left unread is destroyed when its connection
 * has been silent for too long, and a stream that was destroyed before anybody listened never ends.
 *
 * @param signal gives it up; without one, that of its request does
 * @returns undefined when there are more than `maxBytes`
 * @throws what breaks the connection
 */
export async function readBody(
  body: unknown,
  maxBytes: number,
  signal?: AbortSignal,
): Promise<Uint8Array | undefined> {
  if (body === undefined) return new Uint8Array()
  if (!(body instanceof Readable)) throw new TypeError('the body of an answer is not a stream')
  if (signal) addAbortSignal(signal, body)
  const bytes = Buffer.allocUnsafe(maxBytes)
  let length = 0
  // Leaving the loop early destroys the stream, and so its connection.
  for await (const chunk of body) {
    if (length + chunk.length > maxBytes) return undefined
    bytes.set(chunk, length)
    length += chunk.length
  }
  return bytes.subarray(0, length)
}

/**
 * Reads a body of any length to its end.
 *
 * @param signal gives it up
 * @throws what breaks the connection
 */
export async function readWholeBody(body: unknown, signal: AbortSignal): Promise<Buffer> {
  if (!(body instanceof Readable)) throw new TypeError('the body of an answer is not a stream')
  return buffer(addAbortSignal(signal, body))
}

/** Gives up the body of an answer that nobody wants. */
export function destroyBody(body: unknown): void {
  if (!(body instanceof Readable)) return
  body.on('error', () => undefined)
  body.destroy()
}

/**
 * Reads the body of an answer before the SDK does, and leaves it the bytes.
 *
 * @param response as middleware of the SDK gets it
 * @returns the bytes
 * @throws what breaks the connection
 */
export async function bufferBody(response: unknown): Promise<Buffer | undefined> {
  if (typeof response !== 'object' || response === null || !('body' in response)) return undefined
  if (!(response.body instanceof Readable)) return undefined
  const bytes = await buffer(response.body)
  response.body = bytes
  return bytes
}

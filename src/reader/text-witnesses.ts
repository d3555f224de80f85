import { detectText, type ImageSource, maxInlineBytes } from '../aws/rekognition.ts'
import { Failure } from '../flow/failure.ts'
import type { Witness } from '../flow/step-record.ts'
import { type TextReaderParts, textSteps } from './texts.ts'

type WitnessParts = Pick<
  TextReaderParts,
  'rekognition' | 'dispatcher' | 'images' | 'memory' | 'bucket' | 'calls' | 'signal'
>

/** A step of its own for an object that was read before: evidence about real images, at the price of one. */
export function textWitnesses(
  parts: WitnessParts,
  readableKey: () => string | undefined,
): Record<string, Witness> {
  const { images, bucket } = parts
  const withKey = (ask: (key: string) => Promise<unknown>) => () => {
    const key = readableKey()
    return key === undefined ? undefined : ask(key)
  }
  return {
    [textSteps.head]: withKey((key) => images.head(bucket, key)),
    [textSteps.download]: withKey((key) => withBytes(key, parts, () => Promise.resolve())),
    [textSteps.byBytes]: withKey((key) =>
      withBytes(key, parts, (bytes) => call(parts, bytes.length, { bytes })),
    ),
    [textSteps.byReference]: withKey((key) => call(parts, 0, { bucket, key })),
  }
}

async function withBytes(
  key: string,
  { images, memory, bucket, signal }: WitnessParts,
  use: (bytes: Uint8Array) => Promise<unknown>,
): Promise<void> {
  const { size, etag } = await images.head(bucket, key)
  if (size > maxInlineBytes) throw new Failure('subject', textSteps.head, 'the image has more than 5 MiB')
  const release = await memory.acquire(size, signal)
  try {
    const { bytes } = await images.download(bucket, key, { size, etag })
    await use(bytes)
  } finally {
    release()
  }
}

function call({ rekognition, dispatcher, calls }: WitnessParts, bodyBytes: number, image: ImageSource) {
  return dispatcher.call(bodyBytes, (signal) =>
    calls.reserved('DetectText', () => detectText(rekognition, image, signal)),
  )
}

import { DetectLabelsCommand, DetectTextCommand, type RekognitionClient } from '@aws-sdk/client-rekognition'
import { toFault } from '../aws/errors.ts'
import { type Finding, refused, right } from './finding.ts'

/** No picture: whoever may call gets InvalidImageFormatException, which is not billed; who may not, AccessDenied. */
const noPicture = { Bytes: new Uint8Array([0]) }

const calls = {
  DetectLabels: (client: RekognitionClient, abortSignal: AbortSignal): Promise<unknown> =>
    client.send(new DetectLabelsCommand({ Image: noPicture }), { abortSignal }),
  DetectText: (client: RekognitionClient, abortSignal: AbortSignal): Promise<unknown> =>
    client.send(new DetectTextCommand({ Image: noPicture }), { abortSignal }),
}

/** Whether an operation of Rekognition may be called, found out with one that is refused before it costs. */
export async function checkRecognition(
  client: RekognitionClient,
  { operation, region }: { operation: keyof typeof calls; region: string },
  abortSignal: AbortSignal,
): Promise<Finding> {
  const usable = right(operation, `usable in ${region} (tried with a picture that is none, at no cost)`)
  try {
    await calls[operation](client, abortSignal)
    return usable
  } catch (error) {
    const fault = toFault(error)
    if (fault.kind === 'picture') return usable
    if (fault.kind === 'throttle') return right(operation, `usable in ${region}, and just now in heavy use`)
    const options = { rights: `rekognition:${operation}`, missing: 'look at the setting "region"' }
    return refused(operation, 'Rekognition', fault, options)
  }
}

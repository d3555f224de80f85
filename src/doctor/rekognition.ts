import type { RekognitionClient } from '@aws-sdk/client-rekognition'
import { AwsError } from '../aws/errors.ts'
import { detectLabels, detectText, notAnImage } from '../aws/rekognition.ts'
import { type Finding, failedRequest, ok } from './finding.ts'

type Operation = 'DetectLabels' | 'DetectText'

const image = { bytes: notAnImage }
const minConfidence = 50

/** Whether an operation of Rekognition may be called: asked with a request that is refused before it is billed. */
export async function checkRekognition(
  client: RekognitionClient,
  { operation, region }: { operation: Operation; region: string },
  signal: AbortSignal,
): Promise<Finding> {
  const available = ok(operation, `available in ${region} (tested with an invalid image; not billed)`)
  try {
    if (operation === 'DetectLabels') await detectLabels(client, image, minConfidence, signal)
    else await detectText(client, image, signal)
    return available
  } catch (error) {
    if (!(error instanceof AwsError)) throw error
    if (error.kind === 'subject') return available
    if (error.kind === 'throttled') return ok(operation, `available in ${region}, throttled at present`)
    return failedRequest(operation, 'Rekognition', error, {
      permission: `rekognition:${operation}`,
      missing: 'check the setting "region"',
    })
  }
}

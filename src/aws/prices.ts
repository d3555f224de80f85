/**
 * List prices in us-east-1, in dollars a request (https://aws.amazon.com/rekognition/pricing, …/sqs/pricing, …/s3/pricing);
 * they change, and volume discounts are left out. Rekognition bills calls that it answered, not throttled ones.
 */
export const dollarsPerCall = 0.001
const dollarsPerRequest = { sqs: 0.4e-6, s3Read: 0.4e-6, s3List: 5e-6 }

/** What `calls` answered Rekognition calls cost. */
export function callDollars(calls: number): number {
  return calls * dollarsPerCall
}

/** What requests to SQS and S3 cost, by operation. */
export function requestDollars(requests: Readonly<Record<string, number>>): number {
  return Object.entries(requests).reduce((sum, [operation, count]) => sum + count * priceOf(operation), 0)
}

function priceOf(operation: string): number {
  if (operation.startsWith('Detect')) return 0
  if (/Message|Queue/.test(operation)) return dollarsPerRequest.sqs
  return operation.startsWith('List') || operation.startsWith('Put')
    ? dollarsPerRequest.s3List
    : dollarsPerRequest.s3Read
}

/** `$0.06`; small amounts keep two significant digits. */
export function formatDollars(dollars: number): string {
  if (dollars === 0 || dollars >= 0.1) return `$${dollars.toFixed(2)}`
  return `$${dollars.toFixed(Math.min(6, 1 - Math.floor(Math.log10(dollars))))}`
}

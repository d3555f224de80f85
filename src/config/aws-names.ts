const bucketNamePattern = /^(?!.*\.\.)(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/
const queueNamePattern = /^([A-Za-z0-9_-]{1,80}|[A-Za-z0-9_-]{1,75}\.fifo)$/
const queueUrlPattern = /^https?:\/\/[^\s/]+\/\S+$/

/** The rules for general purpose buckets (S3 User Guide, "Bucket naming rules"), as far as they concern characters. */
export function isBucketName(value: unknown): boolean {
  return typeof value === 'string' && bucketNamePattern.test(value)
}

export function isQueueNameOrUrl(value: unknown): boolean {
  return typeof value === 'string' && (queueNamePattern.test(value) || queueUrlPattern.test(value))
}

/** How people write buckets where a name belongs: `name` is the bucket's name, and whatever follows it is ignored. */
const bucketAddresses: readonly RegExp[] = [
  /^s3:\/\/(?<name>[^/]+)/i,
  /^arn:[\w-]+:s3:::(?<name>[^/]+)/i,
  // The console.
  /^https?:\/\/[\w.-]*console\.[^/]+\/s3\/buckets\/(?<name>[^/?#]+)/i,
  // Virtual-hosted style, then path style; also of websites, dual-stack endpoints and other partitions.
  /^(?:https?:\/\/)?(?<name>[a-z0-9.-]+?)\.s3[\w.-]*\.amazonaws\.com(?:\.cn)?(?:[/:?]|$)/i,
  /^(?:https?:\/\/)?s3[\w.-]*\.amazonaws\.com(?:\.cn)?\/(?<name>[^/?#]+)/i,
]

/** @returns the bucket's name in an `s3://` URL, an ARN or a URL of S3; undefined where there is none */
export function bucketNameIn(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined
  const names = bucketAddresses.map((pattern) => pattern.exec(value.trim())?.groups?.name)
  return names.find(isBucketName)
}

/** @returns the queue's name in its ARN */
export function queueNameIn(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined
  const name = /^arn:[\w-]+:sqs:[\w-]*:\d*:(.+)$/i.exec(value.trim())?.[1]
  return isQueueNameOrUrl(name) ? name : undefined
}

import type { IncomingMessage, ServerResponse } from 'node:http'

const perPage = 1000

/**
 * A bucket of any number of images that takes no memory: ListObjectsV2, GetObject and HeadBucket.
 * Keys are p/0000001.jpg and so on; each object is its own key, padded.
 */
export class SimulatedBucket {
  /** requests by operation */
  readonly requests: Record<string, number> = {}
  readonly #images: number
  readonly #bytesEach: number
  #replacedEvery = Number.POSITIVE_INFINITY

  constructor(images: number, bytesEach = 2048) {
    this.#images = images
    this.#bytesEach = bytesEach
  }

  /** From now on every n-th object is another one, under the same key. */
  replaceEvery(n: number): void {
    this.#replacedEvery = n
  }

  handle({ method, url }: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(url ?? '/', 'http://localhost')
    const key = decodeURIComponent(pathname.split('/').slice(2).join('/'))
    const operation = operationOf(method, key)
    this.requests[operation] = (this.requests[operation] ?? 0) + 1
    if (key !== '') this.#sendObject(key, response)
    else if (method === 'HEAD') response.writeHead(200, { 'x-amz-bucket-region': 'us-east-1' }).end()
    else this.#sendPage(searchParams.get('start-after') ?? '', response)
  }

  #sendObject(key: string, response: ServerResponse): void {
    const body = Buffer.alloc(this.#bytesEach, `${key} `)
    response.writeHead(200, {
      etag: this.#etagOf(numberOf(key)),
      'content-length': body.length,
      'content-type': 'image/jpeg',
    })
    response.end(body)
  }

  #sendPage(after: string, response: ServerResponse): void {
    const first = after === '' ? 1 : numberOf(after) + 1
    const last = Math.min(this.#images, first + perPage - 1)
    let contents = ''
    for (let n = first; n <= last; n += 1) {
      const key = keyOf(n)
      contents += `<Contents><Key>${key}</Key><ETag>${this.#etagOf(n)}</ETag><Size>${this.#bytesEach}</Size></Contents>`
    }
    const about = `<Name>images</Name><IsTruncated>${last < this.#images}</IsTruncated><KeyCount>${last - first + 1}</KeyCount>`
    response.writeHead(200, { 'content-type': 'application/xml' })
    response.end(
      `<?xml version="1.0"?><ListBucketResult>${about}<EncodingType>url</EncodingType>${contents}</ListBucketResult>`,
    )
  }

  #etagOf(n: number): string {
    return etagOf(n, n % this.#replacedEvery === 0 ? 'b' : 'a')
  }
}

function operationOf(method: string | undefined, key: string): string {
  if (method === 'HEAD') return key === '' ? 'HeadBucket' : 'HeadObject'
  return key === '' ? 'ListObjectsV2' : 'GetObject'
}

/** The n-th key, from 1 on. */
export function keyOf(n: number): string {
  return `p/${String(n).padStart(7, '0')}.jpg`
}

/** The ETag of the n-th object, as long as one of S3; of another object under the same key with another revision. */
export function etagOf(n: number, revision: 'a' | 'b' = 'a'): string {
  return `"${String(n).padStart(32, revision)}"`
}

function numberOf(key: string): number {
  return Number(key.replace(/\D/g, ''))
}

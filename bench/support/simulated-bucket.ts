import type { IncomingMessage, ServerResponse } from 'node:http'

const perPage = 1000

/**
 * A bucket of any number of pictures that takes no memory: ListObjectsV2, GetObject and HeadBucket.
 * Keys are p/0000001.jpg and so on; each object is its own key, padded.
 */
export class SimulatedBucket {
  readonly #pictures: number
  readonly #bytesEach: number

  constructor(pictures: number, bytesEach = 2048) {
    this.#pictures = pictures
    this.#bytesEach = bytesEach
  }

  handle({ method, url }: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(url ?? '/', 'http://localhost')
    const key = decodeURIComponent(pathname.split('/').slice(2).join('/'))
    if (key !== '') this.#sendObject(key, response)
    else if (method === 'HEAD') response.writeHead(200, { 'x-amz-bucket-region': 'us-east-1' }).end()
    else this.#sendPage(searchParams.get('start-after') ?? '', response)
  }

  #sendObject(key: string, response: ServerResponse): void {
    const body = Buffer.alloc(this.#bytesEach, `${key} `)
    response.writeHead(200, {
      etag: etagOf(key),
      'content-length': body.length,
      'content-type': 'image/jpeg',
    })
    response.end(body)
  }

  #sendPage(after: string, response: ServerResponse): void {
    const first = after === '' ? 1 : Number(after.replace(/\D/g, '')) + 1
    const last = Math.min(this.#pictures, first + perPage - 1)
    let contents = ''
    for (let n = first; n <= last; n += 1) {
      const key = keyOf(n)
      contents += `<Contents><Key>${key}</Key><ETag>${etagOf(key)}</ETag><Size>${this.#bytesEach}</Size></Contents>`
    }
    const about = `<IsTruncated>${last < this.#pictures}</IsTruncated><KeyCount>${last - first + 1}</KeyCount>`
    response.writeHead(200, { 'content-type': 'application/xml' })
    response.end(
      `<?xml version="1.0"?><ListBucketResult>${about}<EncodingType>url</EncodingType>${contents}</ListBucketResult>`,
    )
  }
}

function keyOf(n: number): string {
  return `p/${String(n).padStart(7, '0')}.jpg`
}

function etagOf(key: string): string {
  return `"${Buffer.from(key).toString('hex')}"`
}

import { afterEach, describe, expect, it, test, vi } from 'vitest'
import { requestDeadlineMs } from '../../src/aws/clients.ts'
import { OutageLog } from '../../src/flow/outage-log.ts'
import { ShutdownError } from '../../src/host/shutdown.ts'
import type { Outcome } from '../../src/protocol/outcomes.ts'
import { ResultsExchange, type SharedAnswer, type SharedEnd } from '../../src/reader/exchange.ts'
import { type Answer, type FakeRequest, FakeService, s3Error, xml } from '../aws/fake-service.ts'

const run = '20261122T174500Z-3f9a'
const object = { bucket: 'pictures', key: '1.jpg', etag: 'e' }
const lines = [{ text: 'AB 1', confidence: 99, polygon: [[0, 0] as const] }]
const answer: SharedAnswer = { kind: 'answer', model: '3', content: lines }
const outcome: Outcome = { n: 7, key: '7.jpg', at: 1, boxes: [[0, 0, 1, 1]], outcome: 'text', lines }
const end: SharedEnd = {
  count: 1,
  images: 2,
  failed: 1,
  failures: [{ key: '2.jpg', reason: 'gone' }],
  abandoned: false,
  at: 1,
}
const fromS3 = { etag: '"e"', 'x-amz-request-id': 'R1' }
const page = { etag: '"e"', 'content-type': 'text/html' }

let fake: FakeService
const graceful = new AbortController()

afterEach(async () => {
  await fake[Symbol.asyncDispose]()
})

async function exchangeThat(
  answers: (request: FakeRequest, count: number) => Answer,
  { signal = graceful.signal, forced = graceful.signal } = {},
): Promise<ResultsExchange> {
  fake = await FakeService.start(answers, { silenceMs: { s3: 600_000 } })
  const log = { error: vi.fn(), warn: vi.fn(), info: vi.fn(), debug: vi.fn() }
  const never = Number.POSITIVE_INFINITY
  const policy = { unavailableMs: never, deniedMs: never, missingMs: never, credentialsMs: never }
  const retry = { policy, outages: new OutageLog(log), signal }
  return new ResultsExchange(fake.clients.s3, 'agreed', retry, { forced })
}

const json = (content: unknown): Answer => ({ headers: fromS3, body: JSON.stringify(content) })

/** As S3 does: writes what may be written, and gives back what was. */
function store() {
  const objects = new Map<string, string>()
  return ({ method, url, headers, body, query }: FakeRequest): Answer => {
    const key = decodeURIComponent(new URL(url, 'http://x').pathname).slice('/agreed/'.length)
    if (query.has('list-type')) return listing([...objects.keys()].filter((name) => isListed(name, query)))
    const found = objects.get(key)
    if (method !== 'PUT')
      return found === undefined ? s3Error(404, 'NoSuchKey') : { headers: fromS3, body: found }
    if (found !== undefined && headers['if-none-match'] === '*') return s3Error(412, 'PreconditionFailed')
    objects.set(key, body)
    return { headers: fromS3 }
  }
}

function isListed(key: string, query: URLSearchParams): boolean {
  return key.startsWith(query.get('prefix') ?? '') && key > (query.get('start-after') ?? '')
}

function listing(keys: string[]): Answer {
  const contents = keys.sort().map((key) => `<Contents><Key>${key}</Key></Contents>`)
  return xml(
    200,
    `<ListBucketResult><Name>agreed</Name><IsTruncated>false</IsTruncated>${contents.join('')}</ListBucketResult>`,
  )
}

type Read = (exchange: ResultsExchange) => Promise<unknown>
const reads: [string, unknown, Read, unknown][] = [
  ['an outcome', outcome, (exchange) => exchange.outcome(run, 7), { ...outcome, n: 8 }],
  ['an answer', answer, (exchange) => exchange.answer(object), { kind: 'answer', model: '3' }],
  ['an end', end, (exchange) => exchange.putEnd(run, end), { ...end, count: '1' }],
  [
    'a finished run',
    { position: 1, run, state: 'complete' },
    (exchange) => exchange.finished(1),
    { run: '../..', state: 'complete' },
  ],
]

describe.each(reads)('%s', (_name, content, read, wrong) => {
  test.each<[string, Answer]>([
    ['a page of a portal', { headers: page, body: JSON.stringify(content) }],
    ['no JSON', { headers: fromS3, body: '<html>' }],
    ['half of it', { headers: fromS3, body: JSON.stringify(content).slice(0, -3) }],
    ['other JSON', json(null)],
    ['a wrong field', json(wrong)],
  ])('that is %s is read again', async (_what, odd) => {
    let reads = 0
    const exchange = await exchangeThat(({ method }) => {
      if (method === 'PUT') return s3Error(412, 'PreconditionFailed')
      return ++reads === 1 ? odd : json(content)
    })
    expect(await read(exchange)).toEqual(content)
    expect(reads).toBe(2)
  })
})

describe('what is written', () => {
  it('is kept as it was written first', async () => {
    const exchange = await exchangeThat(store())
    await exchange.putOutcome(run, outcome)
    await exchange.putOutcome(run, { ...outcome, at: 2 })
    expect(await exchange.outcome(run, 7)).toEqual(outcome)
  })

  it('is replaced by the newest answer: whoever was told to ask anew has that one', async () => {
    const exchange = await exchangeThat(store())
    await exchange.putAnswer(object, answer)
    const newer: SharedAnswer = { ...answer, model: '4' }
    await exchange.putAnswer(object, newer)
    expect(await exchange.answer(object)).toEqual(newer)
  })

  it('is not written by a page of a portal', async () => {
    const exchange = await exchangeThat((_, count) => (count === 1 ? { headers: page } : { headers: fromS3 }))
    await exchange.putOutcome(run, outcome)
    expect(fake.requests).toHaveLength(2)
  })
})

describe('the order of finished runs', () => {
  it('has each run once', async () => {
    const exchange = await exchangeThat(store())
    const other = '20261122T174500Z-0000'
    await exchange.appendFinished(run, 'complete', 0)
    await exchange.appendFinished(other, 'abandoned', 0)
    await exchange.appendFinished(run, 'complete', 0)
    expect(await exchange.finishedPositions(0)).toEqual([1, 2])
    expect(await exchange.finishedPositions(1)).toEqual([2])
    expect(await exchange.finished(2)).toEqual({ position: 2, run: other, state: 'abandoned' })
  })

  it('is not read to its end when the reader stops', async () => {
    const stop = new AbortController()
    const exchange = await exchangeThat(
      ({ query }) => {
        if (query.has('list-type'))
          return listing(Array.from({ length: 500 }, (_, n) => `finished/${1000 + n}`))
        stop.abort(new ShutdownError())
        return json({ run: '20261122T174500Z-0000', state: 'complete' })
      },
      { signal: stop.signal },
    )
    await expect(exchange.appendFinished(run, 'complete', 0)).rejects.toThrow(ShutdownError)
    expect(fake.requests).toHaveLength(2)
  })
})

describe('a transfer', () => {
  const stalled: Answer = (response) => {
    response.writeHead(200, { ...fromS3, 'content-length': '1000' })
    response.write('{')
  }

  it('ends with a forced shutdown', async () => {
    const forced = new AbortController()
    const exchange = await exchangeThat(() => stalled, { forced: forced.signal })
    const reading = exchange.outcome(run, 7)
    reading.catch(() => undefined)
    await vi.waitFor(() => expect(fake.clients.calls.activity).toBe(1))
    forced.abort(new ShutdownError())
    await expect(reading).rejects.toThrow(ShutdownError)
  }, 10_000)

  it('may take as long as its size needs', async () => {
    const deadlines: number[] = []
    const timer = vi.spyOn(globalThis, 'setTimeout')
    const text = 'x'.repeat(2_000_000)
    const exchange = await exchangeThat(() => ({ headers: fromS3, body: text }))
    await exchange.results(run)
    await exchange.putResults(run, { text: Buffer.from(text), json: Buffer.from(text) })
    for (const [, ms] of timer.mock.calls) if (ms !== undefined && ms > 100_000) deadlines.push(ms)
    timer.mockRestore()
    expect(deadlines).toEqual(Array(4).fill(requestDeadlineMs(text.length)))
  })
})

import { afterEach, describe, expect, it, test, vi } from 'vitest'
import { requestDeadlineMs } from '../../src/aws/clients.ts'
import { OutageLog } from '../../src/flow/outage-log.ts'
import { ShutdownError } from '../../src/host/shutdown.ts'
import type { Outcome } from '../../src/protocol/outcomes.ts'
import { orderStart, ResultsExchange, type SharedAnswer, type SharedEnd } from '../../src/reader/exchange.ts'
import { type Answer, type FakeRequest, FakeService, s3Error, xml } from '../aws/fake-service.ts'

const run = '20261122T174500Z-3f9a'
const object = { bucket: 'images', key: '1.jpg', etag: 'e' }
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

it('the outcome that another reader has written first holds', async () => {
  const exchange = await exchangeThat(store())
  await exchange.putOutcome(run, outcome)
  const later = { n: 7, key: '7.jpg', at: 9, outcome: 'failed', reason: 'gone' } as const
  expect(await exchange.putOutcome(run, later)).toEqual(outcome)
})

describe('a success without a request ID', () => {
  const withoutId = (answer: Answer): Answer => ({ ...answer, headers: { etag: '"e"' } })

  it('of a server that has written it counts when it was read', async () => {
    const objects = store()
    const exchange = await exchangeThat((request) => withoutId(objects(request)))
    await exchange.putOutcome(run, outcome)
    expect(fake.requests.map(({ method }) => method)).toEqual(['PUT', 'GET'])
  })

  it('of one that has not is none', async () => {
    const objects = store()
    const stranger: Answer = { headers: { etag: '"e"', 'content-type': 'application/json' }, body: '{}' }
    const exchange = await exchangeThat((request, count) => (count === 1 ? stranger : objects(request)))
    await exchange.putOutcome(run, outcome)
    expect(fake.requests.map(({ method }) => method)).toEqual(['PUT', 'GET', 'PUT'])
  })
})

describe('an empty answer with 200, which anybody may give,', () => {
  const empty: Answer = { body: '' }

  test.each<[string, Read]>([
    ['an outcome', (exchange) => exchange.putOutcome(run, outcome)],
    ['results', (exchange) => exchange.putResults(run, { text: Buffer.from('a'), json: Buffer.from('{}') })],
    ['an answer', (exchange) => exchange.putAnswer(object, answer)],
  ])('writes nothing: %s', async (_, write) => {
    const objects = store()
    const exchange = await exchangeThat((request, count) => (count === 1 ? empty : objects(request)))
    await write(exchange)
    // The object is looked for before it is written again.
    expect(fake.requests.slice(0, 3).map(({ method }) => method)).toEqual(['PUT', 'GET', 'PUT'])
  })

  it('is no outcome: a message would be deleted because of it', async () => {
    const exchange = await exchangeThat((_, count) => (count === 1 ? empty : s3Error(404, 'NoSuchKey')))
    expect(await exchange.hasOutcome(run, 7)).toBe(false)
    expect(fake.requests).toHaveLength(2)
  })
})

it('an outcome that is there is found', async () => {
  const exchange = await exchangeThat(store())
  await exchange.putOutcome(run, outcome)
  expect([await exchange.hasOutcome(run, 7), await exchange.hasOutcome(run, 8)]).toEqual([true, false])
})

it('what a proxy sends in chunks, without a length, is read', async () => {
  const chunked =
    (content: string): Answer =>
    (response) => {
      response.writeHead(200, fromS3)
      response.write(content.slice(0, 3))
      response.end(content.slice(3))
    }
  const exchange = await exchangeThat(({ url }) =>
    chunked(url.includes('results.json') ? '{"outcomes":[\n]}\n' : JSON.stringify(outcome)),
  )
  expect(await exchange.outcome(run, 7)).toEqual(outcome)
  const { text, json: results } = await exchange.results(run)
  expect([text.toString(), results.toString()]).toEqual([JSON.stringify(outcome), '{"outcomes":[\n]}\n'])
})

describe('the order of finished runs', () => {
  const other = '20261122T174500Z-0000'

  test.each([
    ['that is there', { position: 2 }, true],
    ['that is the same object', { position: 2, etag: '"2"' }, true],
    ['that is another object by now', { position: 2, etag: '"old"' }, false],
    ['that was deleted', { position: 9 }, false],
  ])('is followed from a place %s', async (_, place, isFollowed) => {
    const entries = [1, 2, 3].map((n) => `<Contents><Key>finished/${n}</Key><ETag>"${n}"</ETag></Contents>`)
    const pageFrom = (first: number) =>
      xml(
        200,
        `<ListBucketResult><Name>agreed</Name><IsTruncated>false</IsTruncated>${entries.slice(first).join('')}</ListBucketResult>`,
      )
    const exchange = await exchangeThat(({ query }) => pageFrom(Number(query.get('start-after')?.slice(-4))))
    const expected = isFollowed ? [{ position: 3, etag: '"3"' }] : undefined
    expect(await exchange.finishedAfter(place)).toEqual(expected)
  })

  it('that was deleted begins anew', async () => {
    const exchange = await exchangeThat(store())
    await exchange.appendFinished(run, 'complete', { position: 3, etag: '"e"' })
    expect(await exchange.finished(1)).toEqual({ position: 1, run, state: 'complete' })
  })

  it('has each run once', async () => {
    const exchange = await exchangeThat(store())
    await exchange.appendFinished(run, 'complete', orderStart)
    await exchange.appendFinished(other, 'abandoned', orderStart)
    await exchange.appendFinished(run, 'complete', orderStart)
    const places = await exchange.finishedAfter(orderStart)
    expect(places?.map(({ position }) => position)).toEqual([1, 2])
    expect(await exchange.finishedAfter({ position: 1 })).toEqual(places?.slice(1))
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
    await expect(exchange.appendFinished(run, 'complete', orderStart)).rejects.toThrow(ShutdownError)
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
    const text = `{${'x'.repeat(2_000_000)}\n]}\n`
    const exchange = await exchangeThat(() => ({ headers: fromS3, body: text }))
    await exchange.results(run)
    await exchange.putResults(run, { text: Buffer.from(text), json: Buffer.from(text) })
    for (const [, ms] of timer.mock.calls) if (ms !== undefined && ms > 100_000) deadlines.push(ms)
    timer.mockRestore()
    expect(deadlines).toEqual(Array(4).fill(requestDeadlineMs(text.length)))
  })
})

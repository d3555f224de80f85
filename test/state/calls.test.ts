import { afterEach, beforeEach, describe, expect, it, test } from 'vitest'
import { AwsError, classify } from '../../src/aws/errors.ts'
import { CallTally, DailyCalls, DailyLimitReached } from '../../src/state/calls.ts'
import type { StateDatabase } from '../../src/state/database.ts'
import { Script } from './script.ts'
import { TestDatabase } from './test-database.ts'

let files: TestDatabase
let database: StateDatabase
let now: number

beforeEach(async () => {
  files = new TestDatabase('detector')
  database = await files.open()
  now = Date.parse('2026-11-22T12:00:00Z')
})

afterEach(async () => {
  await Script.killAll()
  await files.delete()
})

const hour = 3_600_000
const day = 24 * hour

function callsOf(maxCallsPerDay: number, region = 'eu-central-1'): DailyCalls {
  return new DailyCalls(database, { region, maxCallsPerDay, now: () => now })
}

/** Tries so many calls. @returns how many were made */
async function makeCalls(calls: DailyCalls, count: number, call = async () => {}): Promise<number> {
  let made = 0
  const tries = Array.from({ length: count }, () =>
    calls.reserved('DetectLabels', () => {
      made++
      return call()
    }),
  )
  for (const result of await Promise.allSettled(tries)) {
    if (result.status === 'rejected') expect(result.reason).toBeInstanceOf(DailyLimitReached)
  }
  return made
}

function rows(): unknown[] {
  return database
    .prepare('SELECT * FROM calls ORDER BY day, operation, region')
    .all()
    .map((row) => ({ ...row }))
}

describe('the daily limit', () => {
  it('is exact, however many ask at once', async () => {
    const calls = callsOf(50)
    expect(await makeCalls(calls, 80)).toBe(50)
    expect(calls.isExhausted).toBe(true)
    expect(await makeCalls(calls, 1)).toBe(0)
  })

  it('says how many and when it continues', async () => {
    now = Date.parse('2026-11-22T23:59:59.999Z')
    const calls = callsOf(1)
    await makeCalls(calls, 1)
    const refused = await calls
      .reserved('DetectLabels', () => Promise.resolve())
      .catch((error: unknown) => error)
    expect(refused).toMatchObject({
      message:
        'the limit of 1 Rekognition calls a day (maxCallsPerDay) is reached; continues at 2026-11-23T00:00Z',
      continuesAt: Date.parse('2026-11-23T00:00:00Z'),
    })
  })

  it('holds for all operations and regions together', async () => {
    const [here, there] = [callsOf(3), callsOf(3, 'us-east-1')]
    await here.reserved('DetectLabels', () => Promise.resolve())
    await there.reserved('DetectText', () => Promise.resolve())
    expect(await makeCalls(here, 5)).toBe(1)
    expect(there.isExhausted).toBe(true)
  })

  it('of 0 is none; a limit that is set later in the day counts what was called before', async () => {
    const calls = callsOf(0)
    expect(await makeCalls(calls, 500)).toBe(500)
    expect(calls.isExhausted).toBe(false)
    expect(callsOf(500).isExhausted).toBe(true)
    expect(await makeCalls(callsOf(501), 5)).toBe(1)
  })

  it('is reserved before the call is made', async () => {
    await callsOf(5).reserved('DetectLabels', async () => {
      expect(rows()).toMatchObject([{ day: '2026-11-22', reserved: 1 }])
    })
    expect(rows()).toMatchObject([{ reserved: 1 }])
  })

  it('holds when the process is killed again and again', async () => {
    await database.close()
    let made = 0
    for (let process = 0; process < 3; process++) {
      const script = new Script(`
        const { StateDatabase } = await load('state/database.ts')
        const { DailyCalls } = await load('state/calls.ts')
        const { detectorSchema, schemaVersion } = await load('state/schema.ts')
        const database = await StateDatabase.open({
          path: '${files.stateDir}/detector.sqlite', schema: detectorSchema, version: schemaVersion, waitForSpace: async () => 'stop',
        })
        const calls = new DailyCalls(database, { region: 'r', maxCallsPerDay: 50, now: () => ${now} })
        for (let n = 0; n < 20; n++) void calls.reserved('DetectLabels', async () => report('call')).catch(() => report('refused'))
        setInterval(() => {}, 1000)
      `)
      for (let n = 0; n < 20; n++) if ((await script.next()) === 'call') made++
      await script.kill()
    }
    expect(made).toBe(50)
    database = await files.open()
    expect(callsOf(50).isExhausted).toBe(true)
  })
})

describe('a new day', () => {
  test.each([
    ['midnight passes', day],
    ['the next day but one comes', 2 * day],
  ])('begins anew: %s', async (_, ms) => {
    const calls = callsOf(10)
    expect(await makeCalls(calls, 12)).toBe(10)
    now += ms
    expect(await makeCalls(calls, 12)).toBe(10)
  })

  test.each([
    ['three days', 3 * day],
    ['a day', day],
    ['an hour over midnight', hour],
    ['a second over midnight', 1_000],
  ])('does not begin twice when the clock is set back by %s', async (_, ms) => {
    now = Date.parse('2026-11-22T00:00:00Z')
    const calls = callsOf(10)
    expect(await makeCalls(calls, 7)).toBe(7)
    now -= ms
    expect(await makeCalls(calls, 12)).toBe(3)
    now += ms
    expect(await makeCalls(calls, 12)).toBe(3)
  })

  it('does not begin twice when the clock is set forward by an hour over midnight and back again', async () => {
    now = Date.parse('2026-11-22T23:30:00Z')
    const calls = callsOf(10)
    expect(await makeCalls(calls, 4)).toBe(4)
    now += hour
    expect(await makeCalls(calls, 12)).toBe(10)
    now -= hour
    expect(await makeCalls(calls, 12)).toBe(0)
    now += hour
    expect(await makeCalls(calls, 12)).toBe(0)
    now += day
    expect(await makeCalls(calls, 12)).toBe(10)
  })

  test.each([
    ['nothing was reserved for later', [], '2026-11-23'],
    ['the limit is used up for a day to come', [[5 * day, 10]], '2026-11-28'],
    [
      'the limit is used up by two days to come',
      [
        [day, 4],
        [3 * day, 6],
      ],
      '2026-11-24',
    ],
    [
      'what is reserved for later leaves some',
      [
        [day, 4],
        [3 * day, 5],
      ],
      '2026-11-23',
    ],
  ] as const)('is the one on which it says that it continues, if %s', async (_, ahead, expected) => {
    const calls = callsOf(10)
    const today = now
    for (const [ms, count] of ahead) {
      now = today + ms
      await makeCalls(calls, count)
    }
    now = today
    await makeCalls(calls, 12)
    const { continuesAt } = calls
    expect(new Date(continuesAt).toISOString()).toBe(`${expected}T00:00:00.000Z`)
    now = continuesAt - 1
    expect(calls.isExhausted).toBe(true)
    now = continuesAt
    expect(calls.isExhausted).toBe(false)
  })

  it('keeps its own reservations when a call of the day before is given back', async () => {
    now = Date.parse('2026-11-22T23:59:59Z')
    const calls = callsOf(10)
    const context = { service: 'rekognition', operation: 'DetectLabels' } as const
    const throttled = new AwsError('throttled', 'slower', context)
    const { promise, reject } = Promise.withResolvers<void>()
    const late = calls.reserved('DetectLabels', () => promise)
    late.catch(() => undefined)
    await makeCalls(calls, 1)
    now += 2_000
    expect(await makeCalls(calls, 12)).toBe(10)
    reject(throttled)
    await expect(late).rejects.toBe(throttled)
    expect(await makeCalls(calls, 12)).toBe(0)
    expect(rows()).toMatchObject([
      { day: '2026-11-22', reserved: 1 },
      { day: '2026-11-23', reserved: 10 },
    ])
  })
})

describe('a reservation is given back', () => {
  const answer = (statusCode: number) => ({ $response: { statusCode, headers: {} } })
  const connection = (code: string) => Object.assign(new Error('no connection'), { code })
  const code = (name: string) => ({ ...answer(400), $fault: 'client', name })

  test.each<[string, object, number]>([
    ['throttled', code('ThrottlingException'), 0],
    ['denied', code('AccessDeniedException'), 0],
    ['credentials that expired', code('ExpiredTokenException'), 0],
    ['this host', connection('EMFILE'), 0],
    ['a page that is not from AWS', answer(503), 0],
    ['a gateway that waited in vain', answer(504), 1],
    ['a gateway that got no answer', answer(502), 1],
    ['an error of the service', { ...answer(500), $fault: 'server', name: 'InternalServerError' }, 0],
    ['a connection that broke', connection('ECONNRESET'), 1],
    ['an incomplete answer', answer(200), 1],
    ['a timeout', Object.assign(new Error('timeout'), { name: 'TimeoutError' }), 1],
    ['an image that was refused', code('InvalidImageFormatException'), 1],
    ['an object that cannot be read', code('InvalidS3ObjectException'), 1],
  ])('only when the call was certainly not billed: %s', async (_, error, reserved) => {
    const calls = callsOf(1)
    const failure = classify(error, { service: 'rekognition', operation: 'DetectLabels' })
    await expect(calls.reserved('DetectLabels', () => Promise.reject(failure))).rejects.toBe(failure)
    expect(rows()).toMatchObject([{ reserved }])
    expect(calls.isExhausted).toBe(reserved === 1)
  })

  it('not when the answer came, nor when the process failed otherwise', async () => {
    const calls = callsOf(5)
    expect(await calls.reserved('DetectLabels', () => Promise.resolve('answer'))).toBe('answer')
    await expect(
      calls.reserved('DetectLabels', () => Promise.reject(new RangeError('a bug'))),
    ).rejects.toThrow('a bug')
    expect(rows()).toMatchObject([{ reserved: 2 }])
  })
})

test('what calls came to is counted by day, operation and region', async () => {
  const calls = callsOf(0)
  await database.commit(() => {
    calls.count('DetectLabels', 'answered')
    calls.count('DetectLabels', 'answered')
    calls.count('DetectLabels', 'throttled', 5)
    calls.count('DetectText', 'failed', 2)
    calls.count('DetectText', 'throttled', 0)
    callsOf(0, 'us-east-1').count('DetectText', 'answered')
    now += day
    calls.count('DetectLabels', 'answered')
  })
  const none = { reserved: 0, answered: 0, throttled: 0, failed: 0 }
  const [today, tomorrow, region] = ['2026-11-22', '2026-11-23', 'eu-central-1']
  expect(rows()).toEqual([
    { ...none, day: today, operation: 'DetectLabels', region, answered: 2, throttled: 5 },
    { ...none, day: today, operation: 'DetectText', region, failed: 2 },
    { ...none, day: today, operation: 'DetectText', region: 'us-east-1', answered: 1 },
    { ...none, day: tomorrow, operation: 'DetectLabels', region, answered: 1 },
  ])
})

test('the tally gives each attempt once', () => {
  const tally = new CallTally()
  for (const result of ['throttled', 'answered', 'failed', 'throttled'] as const) tally.add(result)
  expect(tally.take()).toEqual({ throttled: 2, failed: 1 })
  tally.add('failed')
  expect(tally.take()).toEqual({ throttled: 0, failed: 1 })
  expect(tally.take()).toEqual({ throttled: 0, failed: 0 })
})

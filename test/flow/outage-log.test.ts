import { beforeEach, describe, expect, it, test } from 'vitest'
import { Failure } from '../../src/flow/failure.ts'
import { OutageLog } from '../../src/flow/outage-log.ts'
import type { Log } from '../../src/host/log.ts'
import { Random } from '../support/random.ts'

const second = 1_000
const minute = 60 * second
const hour = 60 * minute
const work = 'detect labels'
const failure = new Failure('transient', 'DetectLabels', 'HTTP status 500')
const warning = `warn cannot ${work} (HTTP status 500); retrying`

let now = 0
let lines: string[] = []
let outages: OutageLog

beforeEach(() => {
  now = 1_000_000
  lines = []
  const line = (level: string) => (sentence: string) => lines.push(`${level} ${sentence}`)
  const log: Log = { error: line('error'), warn: line('warn'), info: line('info'), debug: line('debug') }
  outages = new OutageLog(log, () => now)
})

/** Time passes in steps; `event` happens at each. */
function elapse(ms: number, stepMs: number, event: () => void): void {
  for (const end = now + ms; now < end; ) {
    now += stepMs
    event()
  }
}

const fail = () => outages.report(work, failure)

describe('an outage', () => {
  it('with a hundred images in flight is one line, then one an hour, and its end is one line', () => {
    elapse(150 * minute, 100, fail)
    expect(lines).toEqual([warning, warning, warning])
    elapse(minute, 100, () => outages.succeeded(work))
    expect(lines.slice(3)).toEqual([`info recovered after ${150 * 60 + 30} s: ${work}`])
    elapse(hour, minute, () => outages.succeeded(work))
    expect(lines).toHaveLength(4)
  })

  it('of less than five seconds is no line', () => {
    elapse(4_900, 100, fail)
    elapse(minute, 100, () => outages.succeeded(work))
    expect(lines).toEqual([])
  })

  it('began when the attempt began that failed first', () => {
    outages.report(work, failure, { sinceMs: 30 * second })
    expect(lines).toEqual([warning])
    now += minute
    outages.succeeded(work, { atOnce: true })
    expect(lines.slice(1)).toEqual([`info recovered after 90 s: ${work}`])
  })

  it('of one kind of work is not that of another', () => {
    elapse(10 * second, 100, () => {
      fail()
      outages.report('send to the queue', failure)
      outages.succeeded('delete from the queue', { atOnce: true })
    })
    expect(lines).toHaveLength(2)
    outages.succeeded('send to the queue', { atOnce: true })
    expect(lines.slice(2)).toEqual(['info recovered after 10 s: send to the queue'])
    expect(outages.summary).toBe(`cannot ${work} (HTTP status 500)`)
  })

  it('that comes again later is a new one', () => {
    elapse(10 * second, second, fail)
    outages.succeeded(work, { atOnce: true })
    now += 10 * minute
    elapse(4 * second, second, fail)
    expect(lines).toHaveLength(2)
    elapse(4 * second, second, fail)
    outages.succeeded(work, { atOnce: true })
    expect(lines.slice(2)).toEqual([warning, `info recovered after 7 s: ${work}`])
  })

  it('that comes again and again is worth another line only when it lasts for five minutes', () => {
    for (let n = 0; n < 50; n++) {
      elapse(10 * second, second, fail)
      outages.succeeded(work, { atOnce: true })
      now += 20 * second
    }
    expect(lines).toEqual([warning, expect.stringMatching(/^info recovered/)])
    elapse(5 * minute + second, second, fail)
    expect(lines.slice(2)).toEqual([warning])
  })

  it('whose end was not noticed for hours, because there was no work, is over', () => {
    elapse(10 * second, second, fail)
    outages.succeeded(work)
    expect(outages.summary).toBeDefined()
    now += 5 * hour
    expect(outages.summary).toBeUndefined()
    fail()
    expect(lines.slice(1)).toEqual([`info recovered after 9 s: ${work}`])
    expect(outages.summary).toBeUndefined()
    elapse(6 * second, second, fail)
    expect(lines.slice(2)).toEqual([warning])
  })
})

describe('settling', () => {
  it('ends what has recovered, although nothing is attempted any more', () => {
    elapse(minute, second, fail)
    outages.succeeded(work)
    elapse(29 * second, second, () => outages.settle())
    expect(lines).toEqual([warning])
    elapse(second, second, () => outages.settle())
    expect(lines.slice(1)).toEqual([`info recovered after 59 s: ${work}`])
  })

  it('at the end of the work believes the last success, and only a success', () => {
    elapse(minute, second, fail)
    outages.wait('other work', 'disk full', { atOnce: true })
    outages.succeeded(work)
    outages.settle({ final: true })
    expect(lines.slice(2)).toEqual([`info recovered after 59 s: ${work}`])
  })
})

describe('a partial outage', () => {
  test.each([0.5, 0.1, 0.02, 0.005])(
    'in which %d of ten images a second fail is a few lines an hour at most',
    (share) => {
      const random = new Random(share)
      elapse(6 * hour, 100, () => (random.chance(share) ? fail() : outages.succeeded(work)))
      elapse(5 * minute, 100, () => outages.succeeded(work))
      expect(lines.length).toBeLessThan(6 * 5)
      expect(lines.filter((line) => line.startsWith('warn')).length).toBeGreaterThanOrEqual(
        share >= 0.02 ? 6 : 0,
      )
      expect(outages.summary).toBeUndefined()
    },
  )

  it('that is one image retrying every fifteen seconds among good ones is one line', () => {
    elapse(50 * minute, 15 * second, () => {
      fail()
      for (let n = 0; n < 100; n++) outages.succeeded(work)
    })
    expect(lines).toEqual([warning])
  })

  it('of slow failures beside successes that would end it at once does not flood the log', () => {
    elapse(50 * minute, 10 * second, () => {
      outages.report(work, failure, { sinceMs: 20 * second })
      now += second
      outages.succeeded(work, { atOnce: true })
    })
    expect(lines).toEqual([warning, expect.stringMatching(/^info recovered/)])
  })
})

describe('a wait', () => {
  const sentence = 'the limit of 5 calls a day is reached'
  it('may be reported at once', () => {
    outages.wait('call Rekognition', sentence, { atOnce: true })
    expect(lines).toEqual([`warn ${sentence}`])
    expect(outages.isWaiting).toBe(true)
  })

  it('is over when nobody has reported it for three minutes', () => {
    outages.wait('read messages of another bucket', sentence, { atOnce: true })
    now += 10 * second
    expect(outages.summary).toBe(sentence)
    now += 3 * minute
    expect(outages.isWaiting).toBe(false)
    expect(outages.summary).toBeUndefined()
    outages.wait('read messages of another bucket', sentence, { atOnce: true })
    expect(lines).toEqual([`warn ${sentence}`, `warn ${sentence}`])
  })

  it('that is reported again and again lasts', () => {
    elapse(hour - second, minute, () => outages.wait('call Rekognition', sentence, { atOnce: true }))
    expect(lines).toHaveLength(1)
    expect(outages.summary).toBe(sentence)
  })
})

describe('the summary', () => {
  it('is empty at first, and for blips', () => {
    expect(outages.summary).toBeUndefined()
    fail()
    expect(outages.summary).toBeUndefined()
    expect(outages.isWaiting).toBe(true)
  })

  it('names the trouble that was reported last, in its latest words', () => {
    elapse(20 * second, second, fail)
    elapse(20 * second, second, () =>
      outages.report('send', new Failure('host', 'Send', 'no file descriptors')),
    )
    expect(outages.summary).toBe('cannot send (no file descriptors)')
    fail()
    now += 1
    outages.report('send', new Failure('host', 'Send', 'no memory'))
    expect(outages.summary).toBe('cannot send (no memory)')
  })

  it('is empty when the work has succeeded and nothing has failed since', () => {
    elapse(20 * second, second, fail)
    outages.succeeded(work)
    now += 29 * second
    expect(outages.summary).toBeDefined()
    now += second
    expect(outages.summary).toBeUndefined()
    expect(outages.isWaiting).toBe(false)
  })

  it('stays when something has failed after the last success, however slow the next attempt is', () => {
    elapse(20 * second, second, fail)
    outages.succeeded(work)
    now += second
    fail()
    now += 2 * minute
    expect(outages.summary).toBeDefined()
  })

  test.each([
    ['credentials', 'waiting for new credentials to detect labels (they are expired)'],
    ['denied', 'not permitted to detect labels (they are expired): grant the permission'],
    ['timeout', 'cannot detect labels (they are expired)'],
  ] as const)('of %s', (kind, expected) => {
    outages.report(work, new Failure(kind, 'DetectLabels', 'they are expired'), { sinceMs: minute })
    expect(outages.summary).toBe(expected)
  })
})

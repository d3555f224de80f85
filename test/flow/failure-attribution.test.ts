import { describe, expect, it, test } from 'vitest'
import {
  FailureStreak,
  failureShareBound,
  PeerLog,
  StepEvidence,
  type Verdict,
} from '../../src/flow/failure-attribution.ts'
import { backoffMs } from '../../src/flow/retry.ts'
import { Random } from '../support/random.ts'

const maxAttempts = 5

interface Scenario {
  /** results of first attempts of other images that come between two failures of the image */
  readonly peersPerSecond: number
  /** whether a peer's attempt fails, at a time in ms */
  readonly peerFails: (ms: number) => boolean
  readonly peerFailure?: 'failed' | 'denied'
  /** no more peers come after this many; probes are made when they are needed */
  readonly maxPeers?: number
  /** whether the image's attempt fails; default: as a peer's would */
  readonly imageFails?: (ms: number) => boolean
  readonly isDenied?: boolean
  /** default: a probe meets what peers meet */
  readonly probeFails?: ((ms: number) => boolean) | 'impossible'
  readonly lastsMs?: number
}

/** Repeats an image's attempts with the worker's pauses, until it succeeds, is judged, or the time is over. */
function play(scenario: Scenario, random: Random) {
  const { peersPerSecond, peerFails, maxPeers = Number.POSITIVE_INFINITY, isDenied = false } = scenario
  const { imageFails = peerFails, probeFails = peerFails, lastsMs = 3_600_000 } = scenario
  const evidence = new StepEvidence()
  const { images: log, probes } = evidence
  const image = {}
  let streak: FailureStreak | undefined
  let peers = 0
  let now = 0
  for (let failures = 0; now < lastsMs; failures++) {
    if (!imageFails(now)) return { verdict: 'succeeded' as const, now, failures }
    if (failures === 0) log.add(now, isDenied ? 'denied' : 'failed', image)
    streak ??= new FailureStreak(evidence, image, { beganAt: now, failedAt: now })
    streak.add({ isDenied })
    const canProbe = failures < 2 || probeFails !== 'impossible'
    for (let n = 0; n < 5 && failures >= 2 && streak.needsEvidence; n++) {
      if (probeFails === 'impossible') break
      const outcome = probeFails(now) ? (scenario.peerFailure ?? 'failed') : 'succeeded'
      probes.add(now + 1, outcome)
      if (outcome !== 'succeeded') break
    }
    const verdict: Verdict = streak.verdict(now + 1, { maxAttempts, canProbe })
    if (verdict !== 'retry') return { verdict, now, failures: failures + 1 }
    const pauseMs = backoffMs(failures, () => random.next())
    const due = Math.min((pauseMs * peersPerSecond) / 1000, maxPeers - peers)
    const count = Math.floor(due) + (random.chance(due % 1) ? 1 : 0)
    peers += count
    // More than the log keeps would only be forgotten.
    for (let peer = Math.max(0, count - 150); peer < count; peer++) {
      const at = now + 2 + (pauseMs * peer) / count
      log.add(at, peerFails(at) ? (scenario.peerFailure ?? 'failed') : 'succeeded')
    }
    now += pauseMs + 2
  }
  return { verdict: 'retry' as const, now, failures: Number.POSITIVE_INFINITY }
}

/** The worst of many images: [verdict → how often]. */
function playMany(images: number, scenario: (random: Random) => Scenario) {
  const verdicts: Record<string, number> = {}
  for (let seed = 0; seed < images; seed++) {
    const random = new Random('attribution', seed)
    const { verdict } = play(scenario(random), random)
    verdicts[verdict] = (verdicts[verdict] ?? 0) + 1
  }
  return verdicts
}

const outage = (from: number, to: number, random: Random, share: number) => (ms: number) =>
  (ms >= from && ms < to) || random.chance(share)

describe('images in a brown-out succeed in the end, and none is blamed', () => {
  for (const share of [0.3, 0.5, 0.8, 0.95]) {
    test.each([0, 0.1, 2, 50])(`${share * 100} % fail, %d other images a second`, (peersPerSecond) => {
      expect(playMany(3000, (random) => ({ peersPerSecond, peerFails: () => random.chance(share) }))).toEqual(
        { succeeded: 3000 },
      )
    })
  }

  test.each([
    ['a brown-out after ten minutes of outage', (random: Random) => outage(0, 600_000, random, 0.3)],
    ['a brown-out before ten minutes of outage', (random: Random) => outage(3_000, 600_000, random, 0.5)],
    [
      'an outage that comes and goes every twenty seconds',
      (random: Random) => (ms: number) => ms % 40_000 < 20_000 || random.chance(0.2),
    ],
    [
      'an outage that begins softly',
      (random: Random) => (ms: number) => ms < 900_000 && random.chance(0.1 + ms / 5_000),
    ],
  ])('%s', (_, failsOf) => {
    for (const maxPeers of [10, 40, 100, Number.POSITIVE_INFINITY]) {
      const verdicts = playMany(1000, (random) => {
        const fails = failsOf(random)
        const isFirst = (ms: number) => ms === 0 || fails(ms)
        return { peersPerSecond: 20, maxPeers, peerFails: fails, imageFails: isFirst, lastsMs: 7_200_000 }
      })
      expect(verdicts).toEqual({ succeeded: 1000 })
    }
  })
})

describe('an image that always fails while others succeed is at fault', () => {
  const good = () => false
  const bad = () => true
  test.each([
    ['among a hundred good images', { maxPeers: 100 }, 60_000, 90_000],
    ['among good images without end', {}, 60_000, 90_000],
    ['among 19 good images', { maxPeers: 19 }, 60_000, 90_000],
    ['among 3 good images', { maxPeers: 3 }, 60_000, 90_000],
    ['alone, by probes', { maxPeers: 0 }, 60_000, 90_000],
  ])('%s', (_, scenario, minMs, maxMs) => {
    for (let seed = 0; seed < 100; seed++) {
      const random = new Random(seed)
      const { verdict, now, failures } = play(
        { peersPerSecond: 20, peerFails: good, imageFails: bad, ...scenario },
        random,
      )
      expect(verdict).toBe('image-at-fault')
      expect(failures).toBeGreaterThanOrEqual(maxAttempts)
      expect(now).toBeGreaterThanOrEqual(minMs)
      expect(now).toBeLessThan(maxMs)
    }
  })

  it('also when its neighbours have the same fault, which takes longer', () => {
    const random = new Random('half')
    const { verdict, now } = play(
      { peersPerSecond: 20, peerFails: () => random.chance(0.5), imageFails: bad },
      random,
    )
    expect(verdict).toBe('image-at-fault')
    expect(now).toBeGreaterThan(120_000)
  })

  it('also in a brown-out, which takes longer', () => {
    const random = new Random('brown-out')
    const { verdict, now } = play(
      { peersPerSecond: 20, peerFails: () => random.chance(0.3), imageFails: bad },
      random,
    )
    expect(verdict).toBe('image-at-fault')
    expect(now).toBeGreaterThan(100_000)
  })
})

describe('nothing is blamed without evidence', () => {
  const fails = () => true
  test.each<[string, Scenario]>([
    ['everything fails', { peersPerSecond: 20, peerFails: fails }],
    ['the last image fails, and so do probes', { peersPerSecond: 0, peerFails: fails }],
    [
      'the last image fails, and no probe is possible',
      { peersPerSecond: 0, peerFails: fails, probeFails: 'impossible' },
    ],
    [
      'others succeeded, but only until the image failed for the second time',
      { peersPerSecond: 1000, maxPeers: 150, peerFails: () => false, imageFails: fails, probeFails: fails },
    ],
  ])('%s', (_, scenario) => {
    for (let seed = 0; seed < 100; seed++) expect(play(scenario, new Random(seed)).verdict).toBe('retry')
  })

  it('successes from before the failure are no evidence', () => {
    const evidence = new StepEvidence()
    const { images: log } = evidence
    const image = {}
    for (let n = 0; n < 100; n++) log.add(0, 'succeeded')
    const streak = new FailureStreak(evidence, image, { beganAt: 0, failedAt: 1_000 })
    for (let now = 1_000; now < 600_000; now += 10_000) {
      streak.add({ isDenied: false })
      expect(streak.needsEvidence).toBe(true)
      expect(streak.verdict(now, { maxAttempts, canProbe: false })).toBe('retry')
    }
  })

  it('probes count only while no other image fails; what they showed before is dropped', () => {
    const evidence = new StepEvidence()
    const [image, other] = [{}, {}]
    const streak = new FailureStreak(evidence, image, { beganAt: 0, failedAt: 0 })
    const failAt = (now: number) => {
      for (let n = 0; n < 50; n++) evidence.probes.add(now, 'succeeded')
      evidence.failed(image, 'failed')
      streak.add({ isDenied: false })
      return streak.verdict(now, { maxAttempts, canProbe: true })
    }
    for (let n = 1; n <= 10; n++) expect(failAt(n)).toBe('retry')
    evidence.failed(other, 'failed')
    for (let n = 0; n < 20; n++) expect(failAt(60_000 + n)).toBe('retry')
    expect(streak.needsEvidence).toBe(false)
    evidence.ended(other)
    const verdicts = Array.from({ length: 8 }, (_, n) => failAt(61_000 + n))
    expect(verdicts[0]).toBe('retry')
    expect(verdicts.at(-1)).toBe('image-at-fault')
  })

  it('probes never displace what happened to images', () => {
    const evidence = new StepEvidence()
    for (let n = 0; n < 100; n++) evidence.images.add(1, 'failed', {})
    for (let n = 0; n < 1000; n++) evidence.probes.add(1, 'succeeded')
    expect(evidence.images.since(0)).toEqual({ count: 100, failed: 100, denied: 0 })
  })

  it("the image's own failure is not one of others", () => {
    const log = new PeerLog()
    const image = {}
    log.add(0, 'denied', image)
    expect(log.since(0, image)).toEqual({ count: 0, failed: 0, denied: 0 })
    expect(log.since(0, {})).toEqual({ count: 1, failed: 1, denied: 1 })
  })
})

describe('denials', () => {
  const always = () => true
  const denied = { isDenied: true, peerFailure: 'denied', imageFails: always } as const
  test.each<[string, Scenario, Verdict, number]>([
    ['all are denied', { ...denied, peersPerSecond: 20, peerFails: always }, 'permission-missing', 90_000],
    [
      'the only one is denied',
      { ...denied, peersPerSecond: 0, peerFails: always },
      'permission-missing',
      90_000,
    ],
    [
      'the only one is denied, and no probe is possible',
      { ...denied, peersPerSecond: 0, peerFails: always, probeFails: 'impossible' },
      'permission-missing',
      90_000,
    ],
    [
      'one is denied among good ones',
      { ...denied, peersPerSecond: 20, peerFails: () => false },
      'image-at-fault',
      90_000,
    ],
    [
      'one is denied, and the probe succeeds',
      { ...denied, peersPerSecond: 0, peerFails: () => false },
      'image-at-fault',
      90_000,
    ],
    [
      'one is denied among 2 good ones, and no probe is possible',
      { ...denied, peersPerSecond: 20, maxPeers: 2, peerFails: () => false, probeFails: 'impossible' },
      'image-at-fault',
      180_000,
    ],
  ])('%s', (_, scenario, expected, maxMs) => {
    for (let seed = 0; seed < 100; seed++) {
      const { verdict, now } = play(scenario, new Random(seed))
      expect(verdict).toBe(expected)
      expect(now).toBeGreaterThanOrEqual(60_000)
      expect(now).toBeLessThan(maxMs)
    }
  })

  it('half of the images are denied: those images, but not soon', () => {
    const random = new Random('half')
    const scenario = { ...denied, peersPerSecond: 20, peerFails: () => random.chance(0.5) }
    const { verdict, now } = play(scenario, random)
    expect(verdict).toBe('image-at-fault')
    expect(now).toBeGreaterThan(120_000)
  })

  it('19 of 20 denied are a permission, 9 of 10 are not yet', () => {
    const verdictAt = (deniedPeers: number, count: number) => {
      const evidence = new StepEvidence()
      const { images: log } = evidence
      const streak = new FailureStreak(evidence, {}, { beganAt: 0, failedAt: 0 })
      for (let n = 0; n < maxAttempts; n++) streak.add({ isDenied: true })
      for (let n = 0; n < count; n++) log.add(1, n < deniedPeers ? 'denied' : 'succeeded')
      return streak.verdict(60_000, { maxAttempts, canProbe: true })
    }
    expect(verdictAt(19, 20)).toBe('permission-missing')
    expect(verdictAt(18, 20)).toBe('retry')
  })

  it('one that is denied while nothing is known of others is no missing permission, if a probe can tell', () => {
    const verdictWith = (canProbe: boolean) => {
      const streak = new FailureStreak(new StepEvidence(), {}, { beganAt: 0, failedAt: 0 })
      for (let n = 0; n < maxAttempts; n++) streak.add({ isDenied: true })
      return streak.verdict(60_000, { maxAttempts, canProbe })
    }
    expect(verdictWith(true)).toBe('retry')
    expect(verdictWith(false)).toBe('permission-missing')
  })

  it('an image that failed otherwise in between is not denied', () => {
    const evidence = new StepEvidence()
    const { images: log } = evidence
    const streak = new FailureStreak(evidence, {}, { beganAt: 0, failedAt: 0 })
    for (let n = 0; n < 20; n++) streak.add({ isDenied: n !== 3 })
    log.add(1, 'denied')
    expect(streak.verdict(600_000, { maxAttempts, canProbe: true })).toBe('retry')
  })
})

describe('no verdict before', () => {
  const streakAmongGood = (failures: number) => {
    const evidence = new StepEvidence()
    const { images: log } = evidence
    const streak = new FailureStreak(evidence, {}, { beganAt: 0, failedAt: 0 })
    let verdict: Verdict = 'retry'
    const at = (now: number) => {
      for (let n = 0; n < 100; n++) log.add(now, 'succeeded')
      streak.add({ isDenied: false })
      verdict = streak.verdict(now, { maxAttempts, canProbe: true })
    }
    for (let n = 1; n < failures; n++) at(n)
    return (now: number) => {
      at(now)
      return verdict
    }
  }
  test.each<[number, number, Verdict]>([
    [maxAttempts - 1, 3_600_000, 'retry'],
    [maxAttempts, 59_999, 'retry'],
    [maxAttempts, 60_000, 'image-at-fault'],
    [50, 59_999, 'retry'],
  ])('%d failures within %d ms: %s', (failures, now, expected) => {
    expect(streakAmongGood(failures)(now)).toBe(expected)
  })
})

test.each([
  [0, 0, 1, 1],
  [1, 0, 1, 1],
  [3, 0, 1, 1],
  [10, 0, 0.3, 0.3],
  [100, 0, 0.03, 0.03],
  [100, 100, 1, 1],
  [100, 50, 0.65, 0.7],
  [100, 1, 0.05, 0.08],
  [2, 1, 1, 1],
])('of %d results %d failed: the bound is between %d and %d', (count, failed, min, max) => {
  const bound = failureShareBound({ count, failed, denied: 0 })
  expect(bound).toBeGreaterThanOrEqual(min - 1e-9)
  expect(bound).toBeLessThanOrEqual(max + 1e-9)
})

test('the log keeps the last hundred', () => {
  const log = new PeerLog()
  for (let n = 0; n < 100; n++) log.add(n, 'failed')
  for (let n = 100; n < 160; n++) log.add(n, 'succeeded')
  expect(log.since(0, {})).toEqual({ count: 100, failed: 40, denied: 0 })
  expect(log.since(99, {})).toEqual({ count: 61, failed: 1, denied: 0 })
  expect(log.lastSuccessAt).toBe(159)
})

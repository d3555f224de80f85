import { setTimeout as delay } from 'node:timers/promises'
import { DeleteObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, describe, expect, test } from 'vitest'
import { detectorFailures, doneRun } from '../chaos/recorded.ts'
import { expectedResults, numbered, putImages } from '../pipeline/images.ts'
import { type AwsRequest, objectKeyOf, type Refusal } from '../support/aws-request.ts'
import type { FaultRule } from '../support/fault-proxy.ts'
import { bucket, type TestCloud, until } from '../support/test-cloud.ts'
import { killLeftWorkers } from '../support/worker-process.ts'
import { doneWell, inCloud, putCars, recordedFailures, runBoth } from './support.ts'

afterAll(async () => expect(await killLeftWorkers(), 'worker processes left running').toBe(0))

const prefix = 'photos/'
const prefixOnly = { IMGPIPE_PREFIX: prefix }

/** A role whose policy names the prefix only: listings of it, objects below it, nothing of the bucket itself. */
function limitedRole(): FaultRule {
  const when = (request: AwsRequest) => {
    if (request.operation === 'HeadBucket') return true
    if (request.operation === 'ListObjectsV2') return request.query.get('prefix') !== prefix
    const key = objectKeyOf(request)
    return key !== undefined && !key.startsWith(prefix)
  }
  return { when, fault: { kind: 'refuse', refusal: 'denied' } }
}

/** What S3 and Rekognition answer about one object. S3 tells about one that cannot be read: HEAD needs no more than a key. */
function aboutObject(key: string, refusal: Refusal, isHeadRefused = false): FaultRule {
  const when = (request: AwsRequest) =>
    objectKeyOf(request) === key && (isHeadRefused || request.operation !== 'HeadObject')
  return { when, fault: { kind: 'refuse', refusal } }
}

const bad = [
  aboutObject('photos/5.jpg', 'object denied', true),
  aboutObject('photos/9.jpg', 'object archived'),
  aboutObject('photos/14.jpg', 'object broken'),
]
const reasons = [
  { key: 'photos/14.jpg', reason: expect.stringMatching(/GetObject.*500 InternalError/) },
  { key: 'photos/5.jpg', reason: expect.stringMatching(/access denied.*403/) },
  { key: 'photos/9.jpg', reason: expect.stringMatching(/archived in GLACIER: restore it first/) },
]

function withoutBad(results: string): string {
  return results.replace(/^photos\/(5|9|14)\.jpg: .*\n/gm, '')
}

describe.concurrent('a role limited to a prefix; of 20 objects one is denied, one archived, one always answered by 500', () => {
  test('the detector records three failures with their reasons; 17 are right', () =>
    inCloud(async (cloud) => {
      const results = await putCars(cloud, 20, 0, prefix)
      for (const rule of [limitedRole(), ...bad]) cloud.proxy.add(rule)
      await runBoth(cloud, { detector: prefixOnly, reader: prefixOnly })
      expect(await cloud.results()).toBe(withoutBad(results))
      expect(detectorFailures(cloud.detectorState)).toEqual(reasons)
      expect(await recordedFailures(cloud)).toEqual({ detector: reasons, reader: [] })
    }))

  test('the reader does, where the detector may read them all', () =>
    inCloud(async (cloud) => {
      const results = await putCars(cloud, 20, 0, prefix)
      expect(await cloud.detector(prefixOnly).exited).toEqual(doneWell)
      for (const rule of [limitedRole(), ...bad]) cloud.proxy.add(rule)
      const reader = cloud.reader(prefixOnly, undefined, ['--once'])
      expect(await reader.exited, reader.log).toEqual(doneWell)
      expect(await cloud.results()).toBe(withoutBad(results))
      expect(await recordedFailures(cloud)).toEqual({ detector: [], reader: reasons })
      await cloud.drained()
    }))

  test('nothing outside of the prefix is asked for but HEAD bucket', () =>
    inCloud(async (cloud) => {
      await putCars(cloud, 20, 0, prefix)
      const refused = new Set<string>()
      cloud.proxy.onSeen(({ fault, operation }) => {
        if (fault) refused.add(operation)
      })
      cloud.proxy.add(limitedRole())
      await runBoth(cloud, { detector: prefixOnly, reader: prefixOnly })
      expect([...refused]).toEqual(['HeadBucket'])
    }))
})

test.concurrent('a reader without ListBucket: S3 answers 403 about the one object that was deleted', () =>
  inCloud(async (cloud) => {
    const results = await putCars(cloud, 6)
    expect(await cloud.detector().exited).toEqual(doneWell)
    await cloud.s3.send(new DeleteObjectCommand({ Bucket: bucket, Key: '3.jpg' }))
    cloud.proxy.add({
      when: (request) => request.operation === 'HeadBucket' || objectKeyOf(request) === '3.jpg',
      fault: { kind: 'refuse', refusal: 'denied' },
    })
    const reader = cloud.reader({}, undefined, ['--once'])
    expect(await reader.exited, reader.log).toEqual(doneWell)
    expect(await cloud.results()).toBe(results.replace('3.jpg: T 3\n', ''))
    const failure = { key: '3.jpg', reason: expect.stringMatching(/GetObject: access denied.*403/) }
    expect(await recordedFailures(cloud)).toEqual({ detector: [], reader: [failure] })
    await cloud.drained()
  }))

describe.concurrent('the role may not use the KMS key of the bucket', () => {
  test.each([0, 12])('from image %i on: exit 77 after a minute; once it may, the run is resumed', (images) =>
    inCloud(async (cloud) => {
      const described = numbered(30)
      await putImages(cloud, described)
      const isDenied = (request: AwsRequest) =>
        objectKeyOf(request) !== undefined && request.operation !== 'HeadObject'
      // One after the other, so that some are decided before.
      const slowly = { IMGPIPE_MAX_RPS: '8' }
      const keyDenied: FaultRule = { when: isDenied, fault: { kind: 'refuse', refusal: 'key denied' } }
      if (images === 0) cloud.proxy.add(keyDenied)
      const detector = cloud.detector(slowly)
      if (images > 0) {
        await until(() => cloud.vision.total >= images)
        cloud.proxy.add(keyDenied)
      }
      expect(await detector.exited, detector.log).toEqual({ code: 77, signal: null })
      expect(detector.log).toMatch(
        /imgpipe: Cannot .*access denied.*kms:Decrypt.*Grant the missing permission/,
      )
      expect(detectorFailures(cloud.detectorState)).toEqual([])
      expect(doneRun(cloud.detectorState)).toBeUndefined()
      const [run] = startedRuns(detector.log)
      cloud.proxy.heal()
      const logs = await runBoth(cloud)
      expect(startedRuns(logs.detector)).toEqual([])
      expect(doneRun(cloud.detectorState)).toBe(run)
      expect(await cloud.results()).toBe(expectedResults(described))
      expect(labelLooks(cloud)).toEqual(Array(30).fill(1))
    }),
  )

  test('the reader stays up, says so, blames no image, and goes on once it may', () =>
    inCloud(async (cloud) => {
      const results = await putCars(cloud, 12)
      expect(await cloud.detector().exited).toEqual(doneWell)
      const end = cloud.proxy.add({
        operations: ['GetObject'],
        fault: { kind: 'refuse', refusal: 'key denied' },
      })
      const reader = cloud.reader({}, undefined, ['--once'])
      await reader.said(/WARN not permitted to .*kms:Decrypt/)
      // Longer than any single image would be given.
      await delay(90_000)
      expect(reader.exit).toBeUndefined()
      end()
      expect(await reader.exited, reader.log).toEqual(doneWell)
      expect(await cloud.results()).toBe(results)
      expect(await recordedFailures(cloud)).toEqual({ detector: [], reader: [] })
    }))
})

function startedRuns(log: string): string[] {
  return [...log.matchAll(/run (\S+) started/g)].flatMap(([, run]) => run ?? [])
}

function labelLooks(cloud: TestCloud): number[] {
  return [...cloud.vision.looks].filter(([name]) => name.startsWith('objects ')).map(([, count]) => count)
}

import { setImmediate } from 'node:timers/promises'
import type { RekognitionClient } from '@aws-sdk/client-rekognition'
import { describe, expect, it, test } from 'vitest'
import type { ListedObject, ObjectHead, S3Images } from '../../src/aws/s3.ts'
import {
  askedConfidence,
  decide,
  isArchiveClass,
  keptLabels,
  type LabelReaderParts,
  labelSteps,
  labelWitnesses,
  readLabels,
} from '../../src/detector/labels.ts'
import { ByteSemaphore } from '../../src/flow/byte-semaphore.ts'
import type { Dispatcher } from '../../src/flow/dispatcher.ts'
import { Failure, type FailureKind } from '../../src/flow/failure.ts'
import type { DailyCalls } from '../../src/state/calls.ts'

const box = [0, 0, 1, 1] as const
const label = (name: string, confidence: number) => [name, confidence, [box]] as const

describe('a car is a label of exactly the name, above the threshold', () => {
  test.each([
    ['above the threshold', [label('Car', 90.1)], true],
    ['exactly the threshold', [label('Car', 90)], false],
    ['the next number above it', [label('Car', 90.00000000000001)], true],
    ['below it', [label('Car', 89.99)], false],
    ['no labels at all', [], false],
    ['another label', [label('Truck', 99), label('Vehicle', 99)], false],
    ['the name in small letters', [label('car', 99)], false],
    ['a name that only contains it', [label('Car Wheel', 99), label('Sports Car', 99)], false],
    ['a car among others', [label('Person', 99), label('Car', 95)], true],
    ['one below the threshold before one above it', [label('Car', 40), label('Car', 91)], true],
  ])('%s', (_, labels, isCar) => expect(decide(labels, 'Car', 90).isCar).toBe(isCar))

  it('of several the most confident one counts, with its boxes', () => {
    const labels = [label('Car', 91), ['Car', 97, []] as const, label('Car', 93)]
    expect(decide(labels, 'Car', 90)).toEqual({ isCar: true, confidence: 97, boxes: [] })
  })

  it('the threshold may be 0 and 100', () => {
    expect(decide([label('Car', 0)], 'Car', 0).isCar).toBe(false)
    expect(decide([label('Car', 0.1)], 'Car', 0).isCar).toBe(true)
    expect(decide([label('Car', 100)], 'Car', 100).isCar).toBe(false)
  })
})

test.each([
  [90, 50],
  [50, 50],
  [30, 30],
  [0, 0],
])('to decide at %d, labels from %d on are asked for', (minConfidence, asked) => {
  expect(askedConfidence(minConfidence)).toBe(asked)
})

test('all labels are kept', () => {
  const labels = [
    { name: 'Car', confidence: 99, boxes: [box] },
    { name: 'Truck', confidence: 50, boxes: [] },
  ]
  expect(keptLabels(labels)).toEqual([
    ['Car', 99, [box]],
    ['Truck', 50, []],
  ])
})

test.each([
  [undefined, false],
  ['STANDARD', false],
  ['GLACIER_IR', false],
  ['INTELLIGENT_TIERING', false],
  ['GLACIER', true],
  ['DEEP_ARCHIVE', true],
])('objects of the class %s have to be restored first: %s', (storageClass, expected) => {
  expect(isArchiveClass(storageClass)).toBe(expected)
})

const megabyte = 1024 * 1024
const object: ListedObject = { key: '2.jpg', etag: '"e"', size: 1000, storageClass: undefined }
const answer = { model: '3.0', labels: [{ name: 'Car', confidence: 99, boxes: [box] }] }
const response = {
  LabelModelVersion: '3.0',
  Labels: [
    { Name: 'Car', Confidence: 99, Instances: [{ BoundingBox: { Left: 0, Top: 0, Width: 1, Height: 1 } }] },
  ],
}

interface World {
  readonly byReference: boolean
  /** how requests by reference and by bytes fail */
  readonly reference?: FailureKind
  readonly bytes?: FailureKind
  readonly download?: FailureKind
  readonly head?: Partial<ObjectHead> | FailureKind
}

/** Services whose answers are given; records the steps of an attempt and how each ended. */
function create({ byReference, reference, bytes, download, head = {} }: World) {
  const steps: string[] = []
  const requests: unknown[] = []
  const memory = new ByteSemaphore(6 * megabyte)
  const fail = (kind: FailureKind, operation: string) => {
    throw new Failure(kind, operation, `${operation} is ${kind}`)
  }
  const rekognition: Pick<RekognitionClient, 'send'> = {
    send: async (command: {
      input: { Image: { S3Object?: object; Bytes?: Uint8Array }; MinConfidence: number }
    }) => {
      const { Image, MinConfidence } = command.input
      requests.push(
        Image.S3Object ? { ...Image.S3Object, MinConfidence } : { bytes: Image.Bytes?.length, MinConfidence },
      )
      const kind = Image.S3Object ? reference : bytes
      if (kind) fail(kind, 'DetectLabels')
      return response
    },
  }
  const images: Pick<S3Images, 'head' | 'download' | 'probe'> = {
    head: async () => {
      if (typeof head === 'string') fail(head, 'HeadObject')
      return { size: 1, etag: '"e"', storageClass: undefined, isArchived: false, ...(head as object) }
    },
    download: async (bucket, key, expected) => {
      requests.push({ download: `${bucket}/${key}`, ...expected })
      if (download) fail(download, 'GetObject')
      return { bytes: new Uint8Array(expected.size), etag: '"e"' }
    },
    probe: async (bucket, key) => {
      requests.push({ probe: `${bucket}/${key}` })
      if (download) fail(download, 'GetObject')
    },
  }
  let reserved = 0
  const calls: Pick<DailyCalls, 'reserved'> = {
    reserved: (_, call) => {
      reserved++
      return call()
    },
  }
  const dispatcher: Pick<Dispatcher, 'call'> = { call: (_, send) => send(new AbortController().signal) }
  const parts = {
    rekognition: rekognition as RekognitionClient,
    dispatcher: dispatcher as Dispatcher,
    images: images as S3Images,
    memory,
    calls: calls as DailyCalls,
    bucket: 'bucket',
    byReference,
    minConfidence: 50,
    signal: new AbortController().signal,
  } satisfies LabelReaderParts
  const read = (change: Partial<ListedObject> = {}) =>
    readLabels({ ...object, ...change }, parts, async (name, call) => {
      try {
        const result = await call()
        steps.push(name)
        return result
      } catch (error) {
        steps.push(`${name}: ${error instanceof Failure ? error.kind : 'error'}`)
        throw error
      }
    })
  const failure = (change?: Partial<ListedObject>) =>
    read(change).then(
      () => 'no failure',
      (error: unknown) => error,
    )
  return { read, failure, parts, steps, requests, memory, reserved: () => reserved }
}

describe('an image in the bucket of the same region', () => {
  it('is read by reference, in one call', async () => {
    const { read, steps, requests, reserved } = create({ byReference: true })
    expect(await read({ size: 14 * megabyte })).toEqual(answer)
    expect(requests).toEqual([{ Bucket: 'bucket', Name: '2.jpg', MinConfidence: 50 }])
    expect(steps).toEqual([labelSteps.byReference])
    expect(reserved()).toBe(1)
  })

  it('that Rekognition cannot read is sent as bytes', async () => {
    const { read, steps, requests } = create({ byReference: true, reference: 'unreadable' })
    expect(await read()).toEqual(answer)
    expect(steps).toEqual([
      `${labelSteps.byReference}: unreadable`,
      labelSteps.head,
      labelSteps.download,
      labelSteps.byBytes,
    ])
    expect(requests.slice(1)).toEqual([
      { download: 'bucket/2.jpg', size: 1000, etag: '"e"' },
      { bytes: 1000, MinConfidence: 50 },
    ])
  })

  it('that Rekognition cannot read, but S3 gives us, and that is too large for bytes is a failure of that step', async () => {
    const { failure, steps, requests } = create({ byReference: true, reference: 'unreadable' })
    expect(await failure({ size: 5 * megabyte + 1 })).toMatchObject({
      kind: 'unreadable',
      message: expect.stringMatching(/more than 5 MiB.*DetectLabels is unreadable/),
    })
    // The last step is the one whose failure is judged.
    expect(steps).toEqual([
      `${labelSteps.byReference}: unreadable`,
      labelSteps.head,
      labelSteps.download,
      `${labelSteps.byReference}: unreadable`,
    ])
    expect(requests.at(-1)).toEqual({ probe: 'bucket/2.jpg' })
    expect(await create({ byReference: true, reference: 'unreadable' }).read({ size: 5 * megabyte })).toEqual(
      answer,
    )
  })

  test.each<FailureKind>(['denied', 'transient'])(
    'that Rekognition cannot read and that is too large for bytes is a failure of S3 when that is %s',
    async (download) => {
      const { failure, steps } = create({ byReference: true, reference: 'unreadable', download })
      expect(await failure({ size: 6 * megabyte })).toMatchObject({ kind: download, operation: 'GetObject' })
      expect(steps.at(-1)).toBe(`${labelSteps.download}: ${download}`)
    },
  )

  test.each<[Partial<ObjectHead> | FailureKind, object]>([
    [
      { isArchived: true, storageClass: 'GLACIER' },
      { kind: 'subject', message: 'archived in GLACIER: restore it first' },
    ],
    [{ isArchived: true }, { kind: 'subject', message: 'archived in an archive tier: restore it first' }],
    ['subject', { kind: 'subject', operation: 'HeadObject' }],
    ['denied', { kind: 'denied', operation: 'HeadObject' }],
  ])('that Rekognition cannot read because it is archived or gone: %j', async (head, expected) => {
    const { failure, requests } = create({ byReference: true, reference: 'unreadable', head })
    expect(await failure()).toMatchObject(expected)
    expect(requests).toHaveLength(1)
  })

  test.each<FailureKind>(['transient', 'throttled', 'denied', 'subject', 'timeout'])(
    'is not sent as bytes when the call is %s',
    async (reference) => {
      const { failure, steps } = create({ byReference: true, reference })
      expect(await failure()).toMatchObject({ kind: reference })
      expect(steps).toEqual([`${labelSteps.byReference}: ${reference}`])
    },
  )

  it('of an archive class is looked at first', async () => {
    const archived = create({ byReference: true, head: { isArchived: true, storageClass: 'DEEP_ARCHIVE' } })
    expect(await archived.failure({ storageClass: 'DEEP_ARCHIVE' })).toMatchObject({ kind: 'subject' })
    expect(archived.requests).toEqual([])
    const restored = create({ byReference: true, head: { isArchived: false } })
    expect(await restored.read({ storageClass: 'DEEP_ARCHIVE' })).toEqual(answer)
  })

  it('that is empty needs no call', async () => {
    const { failure, requests, steps } = create({ byReference: true })
    expect(await failure({ size: 0 })).toMatchObject({ kind: 'subject', message: 'the object is empty' })
    expect([...requests, ...steps]).toEqual([])
  })
})

describe('an image in a bucket of another region', () => {
  it('is sent as bytes', async () => {
    const { read, steps } = create({ byReference: false })
    expect(await read({ size: 5 * megabyte })).toEqual(answer)
    expect(steps).toEqual([labelSteps.download, labelSteps.byBytes])
  })

  it('that is too large for bytes is a fact', async () => {
    const { failure, requests } = create({ byReference: false })
    expect(await failure({ size: 5 * megabyte + 1 })).toMatchObject({
      kind: 'subject',
      message: expect.stringContaining('the bucket is in another region'),
    })
    expect(requests).toEqual([])
  })

  test.each<World>([
    { byReference: false },
    { byReference: false, download: 'transient' },
    { byReference: false, bytes: 'transient' },
  ])('gives its memory back: %j', async (world) => {
    const { failure, memory } = create(world)
    await failure()
    const all = memory.acquire(6 * megabyte, new AbortController().signal)
    expect(await Promise.race([all, setImmediate('held')])).not.toBe('held')
  })
})

describe('a witness', () => {
  const witnessesOf = (world: World, key: string | undefined) => {
    const { parts, requests, memory, reserved } = create(world)
    return { witnesses: labelWitnesses(parts, () => key), requests, memory, reserved }
  }

  it('does its own step alone', async () => {
    const { witnesses, requests, memory, reserved } = witnessesOf({ byReference: true }, '1.jpg')
    await witnesses[labelSteps.byReference]()
    await witnesses[labelSteps.download]()
    expect(reserved()).toBe(1)
    await witnesses[labelSteps.byBytes]()
    const download = { download: 'bucket/1.jpg', size: 1, etag: '"e"' }
    expect(requests).toMatchObject([{ Name: '1.jpg' }, download, download, { bytes: 1 }])
    expect(reserved()).toBe(2)
    await memory.acquire(6 * megabyte, new AbortController().signal)
  })

  it('by reference is not helped by bytes', async () => {
    const { witnesses } = witnessesOf({ byReference: true, reference: 'unreadable' }, '1.jpg')
    await expect(witnesses[labelSteps.byReference]()).rejects.toMatchObject({ kind: 'unreadable' })
  })

  it('needs an image that was read', () => {
    const { witnesses } = witnessesOf({ byReference: true }, undefined)
    expect(Object.values(witnesses).map((witness) => witness())).toEqual(Array(4).fill(undefined))
  })
})

import { setImmediate } from 'node:timers/promises'
import type { RekognitionClient } from '@aws-sdk/client-rekognition'
import { describe, expect, it, test } from 'vitest'
import { ImageSteps } from '../../src/aws/image-steps.ts'
import { detectLabels } from '../../src/aws/rekognition.ts'
import type { ListedObject, ObjectHead, S3Images } from '../../src/aws/s3.ts'
import { askedConfidence, decide, isArchiveClass, keptLabels, readLabels } from '../../src/detector/labels.ts'
import { ByteSemaphore } from '../../src/flow/byte-semaphore.ts'
import type { Dispatcher } from '../../src/flow/dispatcher.ts'
import { Failure, type FailureKind } from '../../src/flow/failure.ts'

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
    ['the name in lowercase', [label('car', 99)], false],
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

const stepNames = {
  byReference: 'DetectLabels by reference',
  byBytes: 'DetectLabels by bytes',
  head: 'HeadObject',
  download: 'GetObject',
}
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
function create({ byReference, reference, bytes, download, head = {} }: World, readableKey?: string) {
  const { signal } = new AbortController()
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
      return {
        size: 1,
        etag: '"e"',
        storageClass: undefined,
        isArchived: false,
        isConfirmed: true,
        ...(head as object),
      }
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
  let witnessed = 0
  const dispatcher: Pick<Dispatcher, 'call'> = {
    call: (_, send, around = (attempt) => attempt()) => around(() => send(signal)),
  }
  const imageSteps = new ImageSteps({
    operation: 'DetectLabels',
    detect: (image, abort) => detectLabels(rekognition as RekognitionClient, image, 50, abort),
    dispatcher,
    images,
    memory,
    bucket: 'bucket',
    aroundCall: (attempt) => {
      reserved++
      return attempt()
    },
    onWitnessAnswer: async () => {
      witnessed++
    },
    readableKey,
    signal,
  })
  const read = (change: Partial<ListedObject> = {}) =>
    readLabels({ ...object, ...change }, { steps: imageSteps, byReference }, async (name, call) => {
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
  return {
    read,
    failure,
    imageSteps,
    steps,
    requests,
    memory,
    reserved: () => reserved,
    witnessed: () => witnessed,
  }
}

describe('an image in the bucket of the same region', () => {
  it('is read by reference, in one call', async () => {
    const { read, steps, requests, reserved } = create({ byReference: true })
    expect(await read({ size: 14 * megabyte })).toEqual(answer)
    expect(requests).toEqual([{ Bucket: 'bucket', Name: '2.jpg', MinConfidence: 50 }])
    expect(steps).toEqual([stepNames.byReference])
    expect(reserved()).toBe(1)
  })

  it('that Rekognition cannot read is sent as bytes', async () => {
    const { read, steps, requests } = create({ byReference: true, reference: 'unreadable' })
    expect(await read()).toEqual(answer)
    expect(steps).toEqual([
      `${stepNames.byReference}: unreadable`,
      stepNames.head,
      stepNames.download,
      stepNames.byBytes,
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
      `${stepNames.byReference}: unreadable`,
      stepNames.head,
      stepNames.download,
      `${stepNames.byReference}: unreadable`,
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
      expect(steps.at(-1)).toBe(`${stepNames.download}: ${download}`)
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
      expect(steps).toEqual([`${stepNames.byReference}: ${reference}`])
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
    expect(steps).toEqual([stepNames.download, stepNames.byBytes])
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
  it('does its own step alone', async () => {
    const { imageSteps, requests, memory, reserved, witnessed } = create({ byReference: true }, '1.jpg')
    const { witnesses } = imageSteps
    await witnesses[stepNames.byReference]?.()
    await witnesses[stepNames.download]?.()
    expect([reserved(), witnessed()]).toEqual([1, 1])
    await witnesses[stepNames.byBytes]?.()
    const download = { download: 'bucket/1.jpg', size: 1, etag: '"e"' }
    expect(requests).toMatchObject([{ Name: '1.jpg' }, download, download, { bytes: 1 }])
    expect([reserved(), witnessed()]).toEqual([2, 2])
    await memory.acquire(6 * megabyte, new AbortController().signal)
  })

  it('by reference is not helped by bytes, and what is refused is no answer', async () => {
    const { imageSteps, witnessed } = create({ byReference: true, reference: 'unreadable' }, '1.jpg')
    const asking = imageSteps.witnesses[stepNames.byReference]?.()
    await expect(asking).rejects.toMatchObject({ kind: 'unreadable' })
    expect(witnessed()).toBe(0)
  })

  it('needs an image that was read, the last one', async () => {
    const { imageSteps, requests } = create({ byReference: true })
    const ask = () => Object.values(imageSteps.witnesses).map((witness) => witness())
    expect(ask()).toEqual(Array(4).fill(undefined))
    imageSteps.wasRead('2.jpg')
    await Promise.all(ask())
    expect(requests).toContainEqual({ Bucket: 'bucket', Name: '2.jpg', MinConfidence: 50 })
  })
})

describe('a probe', () => {
  it('costs nothing', async () => {
    const { imageSteps, requests, reserved, witnessed } = create({ byReference: true }, '1.jpg')
    for (const probe of Object.values(imageSteps.probes)) await probe('transient')
    expect([reserved(), witnessed()]).toEqual([0, 0])
    const nothing = { bytes: 1, MinConfidence: 50 }
    expect(requests).toEqual([nothing, nothing, { probe: 'bucket/1.jpg' }])
  })

  it('of S3 needs an object that was read', () => {
    const { probes } = create({ byReference: true }).imageSteps
    expect([stepNames.head, stepNames.download].map((name) => probes[name]?.('transient'))).toEqual([
      undefined,
      undefined,
    ])
  })
})

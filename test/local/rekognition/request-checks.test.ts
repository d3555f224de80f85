import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { call, object, seeing, testCloud, testImage } from '../cloud.ts'

let url: string
let jpeg: string
let stop: () => Promise<void>

beforeAll(async () => {
  const vision = seeing({ objects: [object('Car', 95)] })
  url = (await testCloud({ vision }, (end) => (stop = end))).url
  jpeg = Buffer.from(await testImage()).toString('base64')
})
afterAll(() => stop())

const s3Object = { Bucket: 'bucket', Name: 'key.jpg' }
const both = ['DetectLabels', 'DetectText'] as const
const parameter = 'InvalidParameterException'
const serialization = 'SerializationException'

describe.each(both)('%s rejects', (operation) => {
  it.each<[string, unknown, string]>([
    ['no JSON', '{"Image":', serialization],
    ['a list', [], serialization],
    ['a string', '"Image"', serialization],
    ['null', 'null', serialization],
    ['nothing', '', parameter],
    ['no Image', {}, parameter],
    ['an Image that is null', { Image: null }, parameter],
    ['an Image of a wrong type', { Image: 'x' }, serialization],
    ['an empty Image', { Image: {} }, parameter],
    ['both sources', { Image: { Bytes: 'AAAA', S3Object: s3Object } }, parameter],
    ['Bytes of a wrong type', { Image: { Bytes: [1, 2] } }, serialization],
    ['empty Bytes', { Image: { Bytes: '' } }, parameter],
    ['broken base64', { Image: { Bytes: 'not base64!!' } }, serialization],
    ['base64 of URLs', { Image: { Bytes: '_-_-' } }, serialization],
    ['base64 that is cut off', { Image: { Bytes: 'AAAAA' } }, serialization],
    ['an S3Object without Bucket', { Image: { S3Object: { Name: 'x' } } }, parameter],
    ['an S3Object without Name', { Image: { S3Object: { Bucket: 'bucket' } } }, parameter],
    ['an empty Name', { Image: { S3Object: { ...s3Object, Name: '' } } }, parameter],
    ['a Name that begins with a space', { Image: { S3Object: { ...s3Object, Name: ' k' } } }, parameter],
    ['a long Name', { Image: { S3Object: { ...s3Object, Name: 'k'.repeat(1025) } } }, parameter],
    ['a short Bucket', { Image: { S3Object: { ...s3Object, Bucket: 'b' } } }, parameter],
    ['a Bucket with a slash', { Image: { S3Object: { ...s3Object, Bucket: 'a/b' } } }, parameter],
    ['a Name of a wrong type', { Image: { S3Object: { ...s3Object, Name: 7 } } }, serialization],
    ['a missing bucket', { Image: { S3Object: s3Object } }, 'InvalidS3ObjectException'],
  ])('%s', async (_name, body, error) => {
    expect(await call(url, operation, body)).toMatchObject({ status: 400, error })
  })
})

/** The request with a valid image. */
function withImage(rest: object) {
  return { Image: { Bytes: jpeg }, ...rest }
}

function general(filters: object) {
  return { Settings: { GeneralLabels: filters } }
}

describe('DetectLabels', () => {
  it.each<[object, string]>([
    [{ MinConfidence: -0.1 }, parameter],
    [{ MinConfidence: 100.1 }, parameter],
    [{ MinConfidence: '90' }, serialization],
    [{ MaxLabels: -1 }, parameter],
    [{ MaxLabels: 1.5 }, serialization],
    [{ MaxLabels: true }, serialization],
    [{ Features: ['FACES'] }, parameter],
    [{ Features: 'GENERAL_LABELS' }, serialization],
    [{ Features: [1] }, serialization],
    [{ Features: ['GENERAL_LABELS', 'GENERAL_LABELS', 'GENERAL_LABELS'] }, parameter],
    [{ Features: ['IMAGE_PROPERTIES'] }, parameter],
    [{ Features: ['GENERAL_LABELS', 'IMAGE_PROPERTIES'] }, parameter],
    [{ Settings: [] }, serialization],
    [{ Settings: { ImageProperties: { MaxDominantColors: 21 } } }, parameter],
    [general({ LabelInclusionFilters: 'Car' }), serialization],
    [general({ LabelInclusionFilters: [{}] }), serialization],
    [general({ LabelExclusionFilters: ['{Car}'] }), parameter],
    [general({ LabelCategoryInclusionFilters: ['x'.repeat(51)] }), parameter],
    [general({ LabelCategoryExclusionFilters: Array.from({ length: 101 }, () => 'x') }), parameter],
  ])('refuses %j', async (rest, error) => {
    expect(await call(url, 'DetectLabels', withImage(rest))).toMatchObject({ status: 400, error })
  })

  it.each<[object, number]>([
    [{}, 3],
    [{ MinConfidence: 95 }, 3],
    [{ MinConfidence: 95.1 }, 0],
    [{ MinConfidence: null, MaxLabels: null, Features: null, Settings: null }, 3],
    [{ MaxLabels: 2 }, 2],
    [{ MaxLabels: 0 }, 0],
    [{ MaxLabels: 5000 }, 3],
    [{ Features: [] }, 3],
    [{ Features: ['GENERAL_LABELS'] }, 3],
    [{ SomethingNew: 1 }, 3],
    [general({ LabelInclusionFilters: ['Car', 'Vehicle'], LabelExclusionFilters: ['Vehicle'] }), 1],
    [{ MaxLabels: 1, ...general({ LabelExclusionFilters: ['Car'] }) }, 1],
  ])('answers %j with %d labels', async (rest, count) => {
    const { status, answer } = await call(url, 'DetectLabels', withImage(rest))
    expect([status, Object(answer).Labels.length]).toEqual([200, count])
  })

  it('lists every violated constraint, in Amazon’s words', async () => {
    const { message } = await call(url, 'DetectLabels', withImage({ MinConfidence: 101, MaxLabels: -1 }))
    expect(message).toBe(
      "2 validation errors detected: Value '-1' at 'maxLabels' failed to satisfy constraint: Member must have value " +
        "greater than or equal to 0; Value '101' at 'minConfidence' failed to satisfy constraint: Member must have " +
        'value less than or equal to 100',
    )
  })
})

describe('DetectText', () => {
  const box = { Left: 0, Top: 0, Width: 1, Height: 1 }
  const region = (...regions: object[]) => ({ Filters: { RegionsOfInterest: regions } })
  const points = (count: number) => ({ Polygon: Array.from({ length: count }, () => ({ X: 0.5, Y: 0.5 })) })
  it.each<[object, string]>([
    [{ Filters: { WordFilter: { MinConfidence: 101 } } }, parameter],
    [{ Filters: { WordFilter: { MinBoundingBoxHeight: 1.1 } } }, parameter],
    [{ Filters: { WordFilter: { MinBoundingBoxWidth: -0.1 } } }, parameter],
    [{ Filters: { WordFilter: 80 } }, serialization],
    [region({}), parameter],
    [region({ BoundingBox: box, ...points(3) }), parameter],
    [region(points(2)), parameter],
    [region(points(11)), parameter],
    [region({ BoundingBox: { ...box, Left: 0.5 } }), parameter],
    [region({ BoundingBox: { Left: 0, Top: 0, Width: 1 } }), parameter],
    [region({ Polygon: [{ X: 0 }, { X: 1 }, { X: 2 }] }), parameter],
    [region('all' as unknown as object), serialization],
    [region(...Array.from({ length: 11 }, () => ({ BoundingBox: box }))), parameter],
  ])('refuses %j', async (rest, error) => {
    expect(await call(url, 'DetectText', withImage(rest))).toMatchObject({ status: 400, error })
  })

  it.each([
    [{}],
    [{ Filters: {} }],
    [{ Filters: null }],
    [region({ BoundingBox: { ...box, Left: 0.7, Width: 0.3 } })],
    [region({ BoundingBox: { ...box, Left: 0.1, Width: 0.9000001 } })],
    [region(points(10))],
  ])('takes %j', async (rest) => {
    expect(await call(url, 'DetectText', withImage(rest))).toMatchObject({ status: 200 })
  })
})

describe('Any request', () => {
  it.each(['DetectFaces', '', 'toString', '__proto__'])(
    'for the operation "%s" is unknown',
    async (operation) => {
      const refused = await call(url, operation, withImage({}))
      expect(refused).toMatchObject({ status: 400, error: 'UnknownOperationException' })
    },
  )

  it('gets Amazon’s headers and error fields', async () => {
    const { headers, answer } = await call(url, 'DetectText', { Image: { S3Object: s3Object } })
    expect(headers.get('content-type')).toBe('application/x-amz-json-1.1')
    const id = headers.get('x-amzn-requestid')
    expect(id).toMatch(/^[0-9a-f-]{36}$/)
    expect(answer).toEqual({
      __type: 'InvalidS3ObjectException',
      Code: 'InvalidS3ObjectException',
      Logref: id,
      Message: 'Unable to get object metadata from S3. Check object key, region and/or access permissions.',
    })
  })
})

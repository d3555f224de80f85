import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { loadSettings, schemaEntries } from '../../src/config/settings.ts'
import { ImgpipeError } from '../../src/host/exit-codes.ts'

const directory = mkdtempSync(join(tmpdir(), 'imgpipe-settings-'))
afterAll(() => rmSync(directory, { recursive: true }))

function fileWith(content: string | object): string {
  const path = join(directory, 'imgpipe.json')
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  return path
}

function load(content: string | object, environment: Record<string, string> = {}) {
  return loadSettings({ configFile: fileWith(content), environment })
}

/** @returns the sentences of what is wrong */
function mistakes(content: string | object, environment: Record<string, string> = {}): string[] {
  try {
    load(content, environment)
  } catch (error) {
    if (!(error instanceof ImgpipeError)) throw error
    expect(error.exitCode).toBe(78)
    return error.message.split('\n')
  }
  return []
}

describe('without a file and an environment', () => {
  it('are the defaults, frozen', () => {
    const settings = load({})
    expect(settings).toEqual({
      bucket: 'njit-cs-643',
      prefix: '',
      maxImages: 0,
      queue: 'imgpipe',
      region: 'us-east-1',
      label: 'Car',
      minConfidence: 90,
      minTextConfidence: 0,
      maxRequestsPerSecond: 0,
      maxAttempts: 5,
      maxCallsPerDay: 0,
      reuseAnswers: true,
      keepRuns: 100,
      stateDir: '/var/lib/imgpipe',
      resultsBucket: '',
      logLevel: 'info',
    })
    expect(Object.isFrozen(settings)).toBe(true)
  })
})

describe('the environment', () => {
  it.each([
    ['IMGPIPE_BUCKET', 'my-bucket', { bucket: 'my-bucket' }],
    ['IMGPIPE_PREFIX', 'cars/', { prefix: 'cars/' }],
    ['IMGPIPE_PREFIX', '', { prefix: '' }],
    ['IMGPIPE_MAX_IMAGES', '10', { maxImages: 10 }],
    ['IMGPIPE_QUEUE', 'a.fifo', { queue: 'a.fifo' }],
    [
      'IMGPIPE_QUEUE',
      'https://sqs.us-east-1.amazonaws.com/1/a',
      { queue: 'https://sqs.us-east-1.amazonaws.com/1/a' },
    ],
    ['IMGPIPE_REGION', 'eu-west-1', { region: 'eu-west-1' }],
    ['AWS_REGION', 'eu-west-1', { region: 'eu-west-1' }],
    ['AWS_REGION', '', { region: 'us-east-2' }],
    ['IMGPIPE_LABEL', 'Truck', { label: 'Truck' }],
    ['IMGPIPE_MIN_CONFIDENCE', '80.5', { minConfidence: 80.5 }],
    ['IMGPIPE_MIN_CONFIDENCE', '0', { minConfidence: 0 }],
    ['IMGPIPE_MIN_TEXT_CONFIDENCE', '50', { minTextConfidence: 50 }],
    ['IMGPIPE_MAX_RPS', '2.5', { maxRequestsPerSecond: 2.5 }],
    ['IMGPIPE_MAX_RPS', '.5', { maxRequestsPerSecond: 0.5 }],
    ['IMGPIPE_MAX_ATTEMPTS', '9', { maxAttempts: 9 }],
    ['IMGPIPE_MAX_ATTEMPTS', '9\r', { maxAttempts: 9 }],
    ['IMGPIPE_MAX_CALLS_PER_DAY', '20000', { maxCallsPerDay: 20_000 }],
    ['IMGPIPE_REUSE_ANSWERS', 'false', { reuseAnswers: false }],
    ['IMGPIPE_REUSE_ANSWERS', 'true', { reuseAnswers: true }],
    ['IMGPIPE_KEEP_RUNS', '7', { keepRuns: 7 }],
    ['IMGPIPE_STATE_DIR', '/data/', { stateDir: '/data' }],
    ['IMGPIPE_RESULTS_BUCKET', 'results', { resultsBucket: 'results' }],
    ['IMGPIPE_LOG_LEVEL', 'debug', { logLevel: 'debug' }],
  ])('%s=%s takes precedence over the file', (name, value, expected) => {
    const inFile = { region: 'us-east-2', minConfidence: 70, bucket: 'from-file', prefix: 'from/file' }
    expect(load(inFile, { [name]: value })).toMatchObject(expected)
  })

  it('sets each key that there is', () => {
    expect(new Set(schemaEntries().map(([, { env }]) => env)).size).toBe(schemaEntries().length)
  })

  it('prefers IMGPIPE_REGION to AWS_REGION', () => {
    expect(load({}, { IMGPIPE_REGION: 'eu-west-1', AWS_REGION: 'eu-west-3' }).region).toBe('eu-west-1')
  })

  it('names the file', () => {
    const IMGPIPE_CONFIG = fileWith({ bucket: 'from-its-file' })
    expect(loadSettings({ environment: { IMGPIPE_CONFIG } }).bucket).toBe('from-its-file')
  })
})

describe('a mistake is reported with its place, key, rule and value', () => {
  it.each([
    [{ bucket: 'Capital' }, '"bucket" must be an S3 bucket name', '"Capital"'],
    [{ bucket: 7 }, '"bucket" must be an S3 bucket name', '7'],
    [{ bucket: null }, '"bucket" must be an S3 bucket name', 'null'],
    [{ prefix: 7 }, '"prefix" must be a string', '7'],
    [{ maxImages: -1 }, '"maxImages" must be a whole number from 0 up', '-1'],
    [{ maxImages: 1.5 }, '"maxImages" must be a whole number', '1.5'],
    [{ maxImages: '10' }, '"maxImages" must be a whole number', '"10"'],
    [{ queue: 'a b' }, '"queue" must be the name of an SQS queue', '"a b"'],
    [{ queue: '' }, '"queue" must be the name of an SQS queue', '""'],
    [{ region: 'Virginia' }, '"region" must be the name of an AWS region', '"Virginia"'],
    [{ label: '' }, '"label" must be the name of a Rekognition label', '""'],
    [{ minConfidence: 101 }, '"minConfidence" must be a number from 0 to 100', '101'],
    [{ minConfidence: '90' }, '"minConfidence" must be a number from 0 to 100', '"90"'],
    [{ minTextConfidence: -0.1 }, '"minTextConfidence" must be a number from 0 to 100', '-0.1'],
    [{ maxRequestsPerSecond: true }, '"maxRequestsPerSecond" must be a number', 'true'],
    [{ maxAttempts: 0 }, '"maxAttempts" must be a whole number from 1 up', '0'],
    [{ stateDir: '' }, '"stateDir" must be the path of a directory', '""'],
    [{ resultsBucket: 'X' }, '"resultsBucket" must be empty or an S3 bucket name', '"X"'],
    [{ logLevel: 'loud' }, '"logLevel" must be one of error, warn, info, debug', '"loud"'],
    [{ keepRuns: 0 }, '"keepRuns" must be a whole number from 1 up', '0'],
    [{ maxCallsPerDay: 1.5 }, '"maxCallsPerDay" must be a whole number from 0 up', '1.5'],
    [{ reuseAnswers: 'no' }, '"reuseAnswers" must be true or false', '"no"'],
    [{ bucket: 'a..b' }, '"bucket" must be an S3 bucket name', '"a..b"'],
    [{ bucket: '192.168.1.4' }, '"bucket" must be an S3 bucket name', '"192.168.1.4"'],
    [{ resultsBucket: 'a..b' }, '"resultsBucket" must be empty or an S3 bucket name', '"a..b"'],
    [
      '{"maxRequestsPerSecond": 1e400}',
      '"maxRequestsPerSecond" must be a number from 0 to 1000000',
      'Infinity',
    ],
    [{ bukcet: 'x' }, '"bukcet" is not a setting: did you mean bucket?', ''],
    [{ Bucket: 'x' }, '"Bucket" is not a setting: did you mean bucket?', ''],
    [{ minConfidance: 1 }, '"minConfidance" is not a setting: did you mean minConfidence?', ''],
    [{ lable: 'Car' }, '"lable" is not a setting: did you mean label?', ''],
    [{ colour: 'red' }, '"colour" is not a setting: choose from bucket, prefix, maxImages', ''],
    ['{"__proto__": 1}', '"__proto__" is not a setting', ''],
    [{ 'a\nb': 1 }, '"a\\nb" is not a setting', ''],
    [{ bucket: { name: 'x' } }, '"bucket" must be', '{"name":"x"}'],
    [{ bucket: ['x'] }, '"bucket" must be', '["x"]'],
  ])('%o', (content, rule, value) => {
    const [mistake, ...more] = mistakes(content)
    expect(more).toEqual([])
    expect(mistake).toContain(join(directory, 'imgpipe.json'))
    expect(mistake).toContain(rule)
    expect(mistake).toContain(value)
  })

  it.each([
    ['IMGPIPE_MIN_CONFIDENCE', '90abc'],
    ['IMGPIPE_MIN_CONFIDENCE', ''],
    ['IMGPIPE_MIN_CONFIDENCE', 'NaN'],
    ['IMGPIPE_MAX_ATTEMPTS', '1e400'],
    ['IMGPIPE_MAX_IMAGES', ' '],
    ['IMGPIPE_MAX_IMAGES', '0x10'],
    ['IMGPIPE_MAX_IMAGES', '1e3'],
    ['IMGPIPE_MAX_RPS', 'Infinity'],
    ['IMGPIPE_REUSE_ANSWERS', '1'],
    ['IMGPIPE_BUCKET', ''],
    ['IMGPIPE_REGION', 'mars-1'],
    ['AWS_REGION', 'mars-1'],
  ])('%s=%o in the environment', (name, value) => {
    expect(mistakes({}, { [name]: value })).toEqual([
      expect.stringMatching(
        new RegExp(`^${name} in the environment: .* must be .*, but is ${JSON.stringify(value)}\\.$`),
      ),
    ])
  })

  it.each([
    ['IMGPIPE_BUKCET', 'did you mean IMGPIPE_BUCKET?'],
    ['IMGPIPE_MAX_REQUESTS_PER_SECOND', 'did you mean IMGPIPE_MAX_RPS?'],
    ['IMGPIPE_STATEDIR', 'did you mean IMGPIPE_STATE_DIR?'],
    ['IMGPIPE_CONFIGS', 'did you mean IMGPIPE_CONFIG?'],
    ['IMGPIPE_COLOUR', 'choose from IMGPIPE_CONFIG, IMGPIPE_BUCKET'],
  ])('a variable that is none: %s', (name, remedy) => {
    expect(mistakes({}, { [name]: 'x' })).toEqual([
      expect.stringContaining(`${name} in the environment is not a setting: ${remedy}`),
    ])
  })

  it.each([
    ['s3://my-bucket', 'my-bucket'],
    ['s3://my-bucket/cars/', 'my-bucket'],
    ['arn:aws:s3:::my-bucket', 'my-bucket'],
    ['arn:aws-us-gov:s3:::my-bucket/cars/*', 'my-bucket'],
    ['https://njit-cs-643.s3.us-east-1.amazonaws.com', 'njit-cs-643'],
    ['https://my.bucket.s3.amazonaws.com/1.jpg', 'my.bucket'],
    ['http://my-bucket.s3-website-us-east-1.amazonaws.com', 'my-bucket'],
    ['https://my-bucket.s3.cn-north-1.amazonaws.com.cn/', 'my-bucket'],
    ['https://s3.us-east-1.amazonaws.com/my-bucket/cars', 'my-bucket'],
    ['https://us-east-1.console.aws.amazon.com/s3/buckets/my-bucket?region=us-east-1', 'my-bucket'],
  ])('a bucket is named, not located: %s', (bucket, name) => {
    expect(mistakes({ bucket })).toEqual([expect.stringContaining(`but is "${bucket}": use just ${name}.`)])
    expect(mistakes({ resultsBucket: bucket })).toEqual([expect.stringContaining(`: use just ${name}.`)])
  })

  it.each([['s3://'], ['https://example.com/my-bucket'], ['s3://Capital']])(
    'no name is made up: %s',
    (bucket) => {
      expect(mistakes({ bucket })).toEqual([expect.stringMatching(/, but is "[^"]+"\.$/)])
    },
  )

  it('a queue is named or located by its URL, not by its ARN', () => {
    const queue = 'arn:aws:sqs:us-east-1:123456789012:cars.fifo'
    expect(mistakes({ queue })).toEqual([expect.stringContaining(`but is "${queue}": use just cars.fifo.`)])
  })

  it('all together, each on its own line', () => {
    const said = mistakes({ bucket: 'X', colour: 'red', maxAttempts: 0 }, { IMGPIPE_LOG_LEVEL: 'loud' })
    expect(said).toHaveLength(4)
    for (const key of ['bucket', 'colour', 'maxAttempts', 'logLevel'])
      expect(said).toContainEqual(expect.stringContaining(`"${key}"`))
  })
})

describe('a file that is none', () => {
  it.each([
    ['', 'is not valid JSON'],
    ['{"bucket": "a-bucket",}', 'is not valid JSON'],
    ['[]', 'must hold one JSON object'],
    ['null', 'must hold one JSON object'],
    ['"bucket"', 'must hold one JSON object'],
    ['bucket: x\nqueue: y\n', 'is not valid JSON: Unexpected token'],
    ['{"maxImages": NaN}', 'is not valid JSON: Unexpected token'],
  ])('%o', (content, said) => {
    expect(mistakes(content)).toEqual([expect.stringContaining(said)])
  })

  it('may begin with a byte order mark', () => {
    expect(load('\uFEFF{"bucket": "from-windows"}').bucket).toBe('from-windows')
  })

  it.each([
    ['/no/such/file.json', 'ENOENT'],
    [tmpdir(), 'EISDIR'],
  ])('%s', (configFile, why) => {
    expect(() => loadSettings({ configFile, environment: {} })).toThrow(
      `${configFile} cannot be read (${why})`,
    )
  })
})

it('the file that is installed is valid, and changes no default', () => {
  const configFile = new URL('../../config/imgpipe.json', import.meta.url).pathname
  expect(loadSettings({ configFile, environment: {} })).toEqual(load({}))
})

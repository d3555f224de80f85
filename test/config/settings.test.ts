import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { loadSettings, schemaEntries } from '../../src/config/settings.ts'
import { ImgpipeError } from '../../src/daemon/exit-codes.ts'

const folder = mkdtempSync(join(tmpdir(), 'imgpipe-settings-'))
afterAll(() => rmSync(folder, { recursive: true }))

function fileWith(content: string | object): string {
  const path = join(folder, 'imgpipe.json')
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
    ['IMGPIPE_MAX_ATTEMPTS', '9', { maxAttempts: 9 }],
    ['IMGPIPE_STATE_DIR', '/data/', { stateDir: '/data' }],
    ['IMGPIPE_RESULTS_BUCKET', 'results', { resultsBucket: 'results' }],
    ['IMGPIPE_LOG_LEVEL', 'debug', { logLevel: 'debug' }],
  ])('%s=%s counts more than the file', (name, value, expected) => {
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

describe('a mistake is told with the key, the rule, the value and the place', () => {
  it.each([
    [{ bucket: 'Capital' }, '"bucket" must be an S3 bucket name', '"Capital"'],
    [{ bucket: 7 }, '"bucket" must be an S3 bucket name', '7'],
    [{ bucket: null }, '"bucket" must be an S3 bucket name', 'null'],
    [{ prefix: 7 }, '"prefix" must be a text', '7'],
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
    [{ stateDir: '' }, '"stateDir" must be the path of a folder', '""'],
    [{ resultsBucket: 'X' }, '"resultsBucket" must be empty or an S3 bucket name', '"X"'],
    [{ logLevel: 'loud' }, '"logLevel" must be one of error, warn, info, debug', '"loud"'],
    [{ bukcet: 'x' }, '"bukcet" is not a setting; the settings are bucket, prefix', ''],
    [{ bucket: { name: 'x' } }, '"bucket" must be', ''],
    [{ bucket: ['x'] }, '"bucket" must be', ''],
  ])('%o', (content, rule, value) => {
    const [mistake, ...more] = mistakes(content)
    expect(more).toEqual([])
    expect(mistake).toContain(join(folder, 'imgpipe.json'))
    expect(mistake).toContain(rule)
    expect(mistake).toContain(value)
  })

  it.each([
    ['IMGPIPE_MIN_CONFIDENCE', '90abc'],
    ['IMGPIPE_MIN_CONFIDENCE', ''],
    ['IMGPIPE_MIN_CONFIDENCE', 'NaN'],
    ['IMGPIPE_MAX_ATTEMPTS', '1e400'],
    ['IMGPIPE_MAX_IMAGES', ' '],
    ['IMGPIPE_BUCKET', ''],
  ])('%s=%o in the environment', (name, value) => {
    expect(mistakes({}, { [name]: value })).toEqual([expect.stringContaining(`${name} in the environment`)])
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
  ])('%o', (content, said) => {
    expect(mistakes(content)).toEqual([expect.stringContaining(said)])
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

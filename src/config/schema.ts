import type { Schema, SchemaObj } from 'convict'
import { type LogLevel, logLevels } from '../host/log.ts'
import { bucketNameIn, isBucketName, isQueueNameOrUrl, queueNameIn } from './aws-names.ts'

/** The settings of both workers; `settingsSchema` documents each of them. */
export interface Settings {
  readonly bucket: string
  readonly prefix: string
  readonly maxImages: number
  readonly queue: string
  readonly region: string
  readonly label: string
  readonly minConfidence: number
  readonly minTextConfidence: number
  readonly maxRequestsPerSecond: number
  readonly maxAttempts: number
  readonly maxCallsPerDay: number
  readonly reuseAnswers: boolean
  readonly keepRuns: number
  readonly stateDir: string
  readonly resultsBucket: string
  readonly logLevel: LogLevel
}

const regionName = /^[a-z]{2,}(-[a-z]+)+-\d+$/

/** What a value must be for a setting. */
export interface SettingRule {
  /** the words that complete "KEY must be …" */
  readonly must: string
  readonly holds: (value: unknown) => boolean
  /** the value that was probably meant */
  readonly meant?: (value: unknown) => string | undefined
}

/** convict's own types would turn "90abc" into 90; `settingFormat` takes values as they are. */
function rule(must: string, holds: SettingRule['holds'], meant?: SettingRule['meant']) {
  return { format: settingFormat.name, must, holds, ...(meant && { meant }) }
}

/** The convict format of every setting: checks the `holds` beside it, coerces nothing. */
export const settingFormat = {
  name: 'imgpipe-setting',
  validate(value: unknown, { must, holds }: SchemaObj): void {
    if (!holds?.(value)) throw new Error(must)
  },
  coerce: (value: unknown): unknown => value,
}

function text(must: string, pattern: RegExp) {
  return rule(must, (value) => typeof value === 'string' && pattern.test(value))
}

function number(must: string, min: number, max: number) {
  return rule(must, (value) => typeof value === 'number' && value >= min && value <= max)
}

function wholeNumber(must: string, min: number) {
  return rule(must, (value) => Number.isSafeInteger(value) && Number(value) >= min)
}

/** The only definition of every setting: rule, default, environment variable and documentation. */
export const settingsSchema: Schema<Settings> = {
  bucket: {
    doc: 'S3 bucket that holds the images',
    ...rule(
      'an S3 bucket name (3 to 63 lowercase letters, digits, hyphens or single dots, and no IP address)',
      isBucketName,
      bucketNameIn,
    ),
    default: 'njit-cs-643',
    env: 'IMGPIPE_BUCKET',
  },
  prefix: {
    doc: 'only keys that start with this are analysed',
    ...rule(
      'a string of at most 1024 bytes',
      (value) => typeof value === 'string' && Buffer.byteLength(value) <= 1024,
    ),
    default: '',
    env: 'IMGPIPE_PREFIX',
  },
  maxImages: {
    doc: 'maximum number of images in a run, in the order of their keys; 0 = all',
    ...wholeNumber('a whole number from 0 up (0 = all)', 0),
    default: 0,
    env: 'IMGPIPE_MAX_IMAGES',
  },
  queue: {
    doc: 'SQS queue between the workers: a name or a URL; standard or FIFO',
    ...rule(
      'the name of an SQS queue (up to 80 letters, digits, - or _; FIFO names end in .fifo) or its URL',
      isQueueNameOrUrl,
      queueNameIn,
    ),
    default: 'imgpipe',
    env: 'IMGPIPE_QUEUE',
  },
  region: {
    doc: 'AWS region of the queue and of Rekognition; AWS_REGION is used where IMGPIPE_REGION is not set',
    ...text('the name of an AWS region such as us-east-1', regionName),
    default: 'us-east-1',
    env: 'IMGPIPE_REGION',
  },
  label: {
    doc: 'Rekognition label to look for, exactly as Amazon writes it',
    ...text('the name of a Rekognition label such as Car (1 to 100 characters)', /^\S.{0,98}\S$|^\S$/),
    default: 'Car',
    env: 'IMGPIPE_LABEL',
  },
  minConfidence: {
    doc: 'an image matches when the label has a confidence strictly above this',
    ...number('a number from 0 to 100', 0, 100),
    default: 90,
    env: 'IMGPIPE_MIN_CONFIDENCE',
  },
  minTextConfidence: {
    doc: 'lines of text below this confidence are omitted',
    ...number('a number from 0 to 100', 0, 100),
    default: 0,
    env: 'IMGPIPE_MIN_TEXT_CONFIDENCE',
  },
  maxRequestsPerSecond: {
    doc: 'maximum Rekognition calls per second of each worker; 0 = find the quota of the account',
    ...number('a number from 0 to 1000000 (0 = find the quota)', 0, 1e6),
    default: 0,
    env: 'IMGPIPE_MAX_RPS',
  },
  maxAttempts: {
    doc: 'minimum number of failed attempts, over at least a minute and while other images succeed, before an image is recorded as failed',
    ...wholeNumber('a whole number from 1 up', 1),
    default: 5,
    env: 'IMGPIPE_MAX_ATTEMPTS',
  },
  maxCallsPerDay: {
    doc: 'maximum Rekognition calls of each worker per UTC day; 0 = no limit',
    ...wholeNumber('a whole number from 0 up (0 = no limit)', 0),
    default: 0,
    env: 'IMGPIPE_MAX_CALLS_PER_DAY',
  },
  reuseAnswers: {
    doc: 'use the answers of earlier runs for images that have not changed, instead of paying for them again',
    ...rule('true or false', (value) => typeof value === 'boolean'),
    default: true,
    env: 'IMGPIPE_REUSE_ANSWERS',
  },
  keepRuns: {
    doc: 'finished runs that are kept; older ones are deleted with their files',
    ...wholeNumber('a whole number from 1 up', 1),
    default: 100,
    env: 'IMGPIPE_KEEP_RUNS',
  },
  stateDir: {
    doc: 'directory for the databases and the results',
    ...text('the path of a directory', /./),
    default: '/var/lib/imgpipe',
    env: 'IMGPIPE_STATE_DIR',
  },
  resultsBucket: {
    doc: 'S3 bucket that several readers share their results through; empty = this reader is the only one',
    ...rule('empty or an S3 bucket name', (value) => value === '' || isBucketName(value), bucketNameIn),
    default: '',
    env: 'IMGPIPE_RESULTS_BUCKET',
  },
  logLevel: {
    doc: 'the lowest level that is logged: error, warn, info or debug',
    ...rule('one of error, warn, info, debug', (value) => logLevels.some((level) => level === value)),
    default: 'info',
    env: 'IMGPIPE_LOG_LEVEL',
  },
}

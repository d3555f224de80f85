import type { Schema, SchemaObj } from 'convict'

/** The settings of both workers; what each means is said in `settingsSchema`. */
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
  readonly stateDir: string
  readonly resultsBucket: string
  readonly logLevel: LogLevel
}

export const logLevels = ['error', 'warn', 'info', 'debug'] as const
export type LogLevel = (typeof logLevels)[number]

const bucketName = /^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$/
const queueNameOrUrl = /^([A-Za-z0-9_-]{1,80}|[A-Za-z0-9_-]{1,75}\.fifo|https?:\/\/[^\s/]+\/\S+)$/
const regionName = /^[a-z]{2}(-[a-z]+)+-\d+$/

/**
 * What a setting must be, as the words that complete "KEY must be …", and the test of it. convict's own types
 * would turn "90abc" into 90; `settingFormat` takes values as they are.
 */
function rule(must: string, holds: (value: unknown) => boolean) {
  return { format: settingFormat.name, must, holds }
}

/** The convict format that every setting has: obeys the `holds` beside it, coerces nothing. */
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

function number(must: string, low: number, high: number) {
  return rule(must, (value) => typeof value === 'number' && value >= low && value <= high)
}

function wholeNumber(must: string, low: number) {
  return rule(must, (value) => Number.isSafeInteger(value) && Number(value) >= low)
}

/** The one description of every setting: type, rule, default, environment variable and its words in the docs. */
export const settingsSchema: Schema<Settings> = {
  bucket: {
    doc: 'S3 bucket that holds the pictures',
    ...text('an S3 bucket name (3 to 63 small letters, digits, dots or hyphens)', bucketName),
    default: 'njit-cs-643',
    env: 'IMGPIPE_BUCKET',
  },
  prefix: {
    doc: 'only keys that start with this are looked at',
    ...rule(
      'a text of at most 1024 bytes',
      (value) => typeof value === 'string' && Buffer.byteLength(value) <= 1024,
    ),
    default: '',
    env: 'IMGPIPE_PREFIX',
  },
  maxImages: {
    doc: 'how many pictures a run looks at, in the order of their keys; 0 = all',
    ...wholeNumber('a whole number from 0 up (0 = all)', 0),
    default: 0,
    env: 'IMGPIPE_MAX_IMAGES',
  },
  queue: {
    doc: 'SQS queue between the workers: a name or a URL; standard or FIFO',
    ...text(
      'the name of an SQS queue (up to 80 letters, digits, - or _; FIFO names end in .fifo) or its URL',
      queueNameOrUrl,
    ),
    default: 'imgpipe',
    env: 'IMGPIPE_QUEUE',
  },
  region: {
    doc: 'AWS region of the queue and of Rekognition; AWS_REGION counts where IMGPIPE_REGION is not set',
    ...text('the name of an AWS region such as us-east-1', regionName),
    default: 'us-east-1',
    env: 'IMGPIPE_REGION',
  },
  label: {
    doc: "Rekognition's label to look for, exactly as Amazon writes it",
    ...text('the name of a Rekognition label such as Car (1 to 100 characters)', /^\S.{0,98}\S$|^\S$/),
    default: 'Car',
    env: 'IMGPIPE_LABEL',
  },
  minConfidence: {
    doc: 'a picture counts when the label is strictly more confident than this',
    ...number('a number from 0 to 100', 0, 100),
    default: 90,
    env: 'IMGPIPE_MIN_CONFIDENCE',
  },
  minTextConfidence: {
    doc: 'lines of text below this confidence are left out',
    ...number('a number from 0 to 100', 0, 100),
    default: 0,
    env: 'IMGPIPE_MIN_TEXT_CONFIDENCE',
  },
  maxRequestsPerSecond: {
    doc: 'Rekognition calls a second at most; 0 = find the quota of the account',
    ...number('a number from 0 up (0 = find the quota)', 0, 1e6),
    default: 0,
    env: 'IMGPIPE_MAX_RPS',
  },
  maxAttempts: {
    doc: 'analyses of one picture that fail while others succeed, before the picture is recorded as a failure',
    ...wholeNumber('a whole number from 1 up', 1),
    default: 5,
    env: 'IMGPIPE_MAX_ATTEMPTS',
  },
  stateDir: {
    doc: 'folder for journals, ledgers and results',
    ...text('the path of a folder', /./),
    default: '/var/lib/imgpipe',
    env: 'IMGPIPE_STATE_DIR',
  },
  resultsBucket: {
    doc: 'S3 bucket on which several readers agree; empty = this reader is the only one',
    ...rule('empty or an S3 bucket name', (value) => value === '' || bucketName.test(String(value))),
    default: '',
    env: 'IMGPIPE_RESULTS_BUCKET',
  },
  logLevel: {
    doc: 'the least important events that are logged: error, warn, info or debug',
    ...rule('one of error, warn, info, debug', (value) => logLevels.some((level) => level === value)),
    default: 'info',
    env: 'IMGPIPE_LOG_LEVEL',
  },
}

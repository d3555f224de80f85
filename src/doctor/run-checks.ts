import { type Clients, createClients, type Environment } from '../aws/clients.ts'
import type { Settings } from '../config/schema.ts'
import { ImgpipeError } from '../host/exit-codes.ts'
import type { Role as Worker } from '../state/role.ts'
import { checkBucket, checkResultsBucket } from './bucket.ts'
import { checkCredentials } from './credentials.ts'
import { checkEndpoint, checkEndpointVariables } from './endpoint.ts'
import { type Finding, fail, ok, type Role, skip } from './finding.ts'
import { checkNode } from './node-version.ts'
import { checkQueue } from './queue.ts'
import { checkRekognition } from './rekognition.ts'
import { checkRuns } from './runs.ts'
import { checkStateDirectory } from './state-directory.ts'
import { checkUnits } from './units.ts'
import { ownerOf } from './users.ts'

export interface CheckOptions {
  readonly role: Role
  /** @throws {ImgpipeError} with one mistake a line */
  readonly loadSettings: () => Settings
  readonly environment: Environment
  /** for each check, in ms; what has not answered by then fails */
  readonly limitMs: number
}

/** The time limit is a little after its signal, so that a check that heeds the signal can say what it waited for. */
const graceMs = 500
const bothWorkers: readonly Worker[] = ['detector', 'reader']
const operations = { detector: 'DetectLabels', reader: 'DetectText' } as const

/**
 * Checks everything that the workers need, and yields each finding in turn. Where one thing is wrong that others depend
 * on, those are skipped; what is down for many checks alike is reported once. It always ends.
 */
export async function* runChecks(options: CheckOptions): AsyncGenerator<Finding> {
  const reported = new Map<string, string>()
  for await (const finding of allFindings(options)) {
    const cause = finding.verdict === 'fail' ? finding.cause : undefined
    const first = cause === undefined ? undefined : reported.get(cause)
    if (cause !== undefined && first === undefined) reported.set(cause, finding.subject)
    yield first === undefined ? finding : skip(finding.subject, `same failure as "${first}": ${cause}`)
  }
}

async function* allFindings(options: CheckOptions): AsyncGenerator<Finding> {
  const { limitMs, role } = options
  const workers = role === 'both' ? bothWorkers : [role]
  const settings = readSettings(options.loadSettings)
  if (Array.isArray(settings)) {
    yield* settings
    yield checkNode()
    yield skip('services', 'not checked: fix the settings first')
  } else {
    const { bucket, queue, region, stateDir } = settings
    yield ok('settings', `bucket ${bucket}, queue ${queue}, region ${region}`)
    yield checkNode()
    yield* await inTime('state dir', limitMs, () => checkStateDirectory(stateDir, workers))
    yield* serviceFindings(settings, options)
    yield* await inTime('runs', limitMs, () => checkRuns(settings, workers))
  }
  yield* await inTime('units', limitMs, () => checkUnits(workers))
}

/** @returns the settings, or each of their mistakes */
function readSettings(load: () => Settings): Settings | Finding[] {
  try {
    return load()
  } catch (error) {
    if (!(error instanceof ImgpipeError)) throw error
    const { reason, message } = error
    return message.split('\n').map((line) => fail('settings', reason, line.replace(/\.$/, '')))
  }
}

/** Asked all at once, reported one after the other: an address that swallows everything costs its time once. */
async function* serviceFindings(settings: Settings, options: CheckOptions): AsyncGenerator<Finding> {
  const { environment, limitMs } = options
  const mistakes = checkEndpointVariables(environment)
  if (mistakes.length > 0) {
    yield* mistakes
    return yield skip('services', 'not checked: fix the endpoint first')
  }
  const clients = createClients(settings, { environment })
  const { sqs } = clients
  const question = { sqs, queue: settings.queue, environment, worker: ownerOf(settings.stateDir) }
  try {
    const endpoint = inTime('endpoint', limitMs, (signal) => checkEndpoint(settings, environment, signal))
    const credentials = inTime('credentials', limitMs, (signal) => checkCredentials(question, signal))
    yield* await endpoint
    yield* await credentials
    if ((await credentials).some(({ verdict }) => verdict === 'fail' || verdict === 'skip'))
      return yield skip('services', 'not checked: fix the credentials first')
    for (const findings of serviceChecks(settings, options, clients)) yield* await findings
  } finally {
    clients.close()
  }
}

function serviceChecks(
  settings: Settings,
  { role, limitMs }: CheckOptions,
  { s3, sqs, rekognition }: Clients,
): Promise<Finding[]>[] {
  const { resultsBucket, region } = settings
  const one = (subject: string, check: (signal: AbortSignal) => Promise<Finding>) =>
    inTime(subject, limitMs, async (signal) => [await check(signal)])
  const workers = role === 'both' ? bothWorkers : [role]
  return [
    one('bucket', (signal) => checkBucket(s3, { ...settings, role }, signal)),
    ...(resultsBucket === '' || role === 'detector'
      ? []
      : [one('results bucket', (signal) => checkResultsBucket(s3, resultsBucket, signal))]),
    inTime('queue', limitMs, (signal) => checkQueue(sqs, settings, signal)),
    ...workers.map((worker) => {
      const operation = operations[worker]
      return one(operation, (signal) => checkRekognition(rekognition, { operation, region }, signal))
    }),
  ]
}

/** Also ends what does not heed the signal, such as a credential process that hangs. Never rejects. */
async function inTime(
  subject: string,
  limitMs: number,
  check: (signal: AbortSignal) => Promise<Finding[]>,
): Promise<Finding[]> {
  const signal = AbortSignal.timeout(limitMs)
  // What a check did not expect is an answer too: the other lines still count.
  const work = check(signal).catch((error: unknown) => [
    fail(subject, 'unavailable', `could not be checked (${String(error)})`, 'please report it'),
  ])
  const timeout = new Promise<Finding[]>((resolve) => {
    const giveUp = () =>
      resolve([fail(subject, 'unavailable', 'no answer in time', 'check the network and the disk')])
    signal.addEventListener('abort', () => setTimeout(giveUp, graceMs), { once: true })
  })
  return Promise.race([work, timeout])
}

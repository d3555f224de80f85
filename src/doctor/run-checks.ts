import { type Clients, createClients, type Environment } from '../aws/clients.ts'
import type { Settings } from '../config/schema.ts'
import { ImgpipeError } from '../host/exit-codes.ts'
import { pipelineNames } from '../host/installation.ts'
import { blockerOf, currentUser, type Owner, ownerOf } from '../host/users.ts'
import type { Role as Worker } from '../state/role.ts'
import { checkBucket, checkResultsBucket } from './bucket.ts'
import { checkCredentials } from './credentials.ts'
import { checkEndpoint, checkEndpointVariables } from './endpoint.ts'
import { type Finding, fail, isUnseen, ok, type Role, skip, unseen } from './finding.ts'
import { checkEnvironment, type Host } from './host.ts'
import { checkNode } from './node-version.ts'
import { checkQueue } from './queue.ts'
import { checkRekognition } from './rekognition.ts'
import { checkRuns } from './runs.ts'
import { checkStateDirectory } from './state-directory.ts'
import { checkUnits } from './units.ts'

export interface CheckOptions {
  readonly role: Role
  /** @throws {ImgpipeError} with one mistake a line */
  readonly loadSettings: () => Settings
  readonly environment: Environment
  /** for each check, in ms; what has not answered by then fails */
  readonly limitMs: number
  /** where imgpipe is installed: the checks see with the eyes of its units */
  readonly host?: Host | undefined
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
  const { limitMs, role, host } = options
  const workers = role === 'both' ? bothWorkers : [role]
  const environment = host ? checkEnvironment(host) : []
  yield* environment
  if (environment.some(isUnseen)) yield unseen('services', 'they depend on the environment of the units')
  else yield* workerFindings(options, workers)
  yield* await inTime('units', limitMs, () => checkUnits(workers, host))
  yield* otherPipelines(host)
}

async function* workerFindings(options: CheckOptions, workers: readonly Worker[]): AsyncGenerator<Finding> {
  const { limitMs, host } = options
  const settings = readSettings(options)
  if (Array.isArray(settings)) {
    yield* settings
    yield checkNode()
    return yield skip('services', 'not checked: fix the settings first')
  }
  const { bucket, queue, region, stateDir } = settings
  yield ok('settings', `bucket ${bucket}, queue ${queue}, region ${region}`)
  yield checkNode()
  yield* await inTime('state dir', limitMs, () => checkStateDirectory(stateDir, workers, host))
  yield* serviceFindings(settings, options)
  yield* await inTime('runs', limitMs, () => checkRuns(settings, workers, host))
}

function otherPipelines(host: Host | undefined): Finding[] {
  const names = host ? pipelineNames(host.installation).filter((name) => name !== host.pipeline) : []
  if (names.length === 0 || host?.pipeline !== undefined) return []
  const remedy = names.map((name) => `"sudo imgpipe doctor --pipeline ${name}"`).join(', ')
  return [ok('pipelines', `this is the main one; for the further ones use ${remedy}`)]
}

/** @returns the settings, or each of their mistakes */
function readSettings({ loadSettings, environment, host }: CheckOptions): Settings | Finding[] {
  try {
    return loadSettings()
  } catch (error) {
    if (!(error instanceof ImgpipeError)) throw error
    const { reason, message } = error
    const closed = host?.user && closedSettings(host.user, environment.IMGPIPE_CONFIG)
    if (closed) return [closed]
    return message.split('\n').map((line) => fail('settings', reason, line.replace(/\.$/, '')))
  }
}

/** What the units read, this user may not see; what the units cannot read is named with what keeps them out. */
function closedSettings(user: Owner, path: string | undefined): Finding | undefined {
  if (path === undefined) return undefined
  const blocker = blockerOf(user, path)
  const me = currentUser()
  if (blocker === undefined)
    return blockerOf(me, path) === undefined
      ? undefined
      : unseen('settings', `${path} cannot be read by ${me.name}`)
  const detail = `${path} cannot be read by ${user.name}, the user of the units`
  return fail('settings', 'settings', detail, `sudo chmod ${blocker === path ? 'a+r' : 'a+x'} ${blocker}`)
}

/** Asked all at once, reported one after the other: an address that swallows everything costs its time once. */
async function* serviceFindings(settings: Settings, options: CheckOptions): AsyncGenerator<Finding> {
  const { environment, limitMs, host } = options
  const mistakes = checkEndpointVariables(environment)
  if (mistakes.length > 0) {
    yield* mistakes
    return yield skip('services', 'not checked: fix the endpoint first')
  }
  const clients = createClients(settings, { environment })
  const { sqs } = clients
  const worker = host ? host.user : ownerOf(settings.stateDir)
  const question = { sqs, queue: settings.queue, environment, worker, host }
  try {
    const endpoint = inTime('endpoint', limitMs, (signal) => checkEndpoint(settings, environment, signal))
    const credentials = inTime('credentials', limitMs, (signal) => checkCredentials(question, signal))
    yield* await endpoint
    yield* await credentials
    if ((await credentials).some(isUnseen)) return yield unseen('services', 'they need the credentials')
    if ((await credentials).some(({ verdict }) => verdict === 'fail' || verdict === 'skip'))
      return yield skip('services', 'not checked: fix the credentials first')
    for (const findings of serviceChecks(settings, options, clients)) yield* await findings
  } finally {
    clients.close()
  }
}

function serviceChecks(
  settings: Settings,
  { role, limitMs, host }: CheckOptions,
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
    inTime('queue', limitMs, (signal) => checkQueue(sqs, { ...settings, setup: setupCommand(host) }, signal)),
    ...workers.map((worker) => {
      const operation = operations[worker]
      return one(operation, (signal) => checkRekognition(rekognition, { operation, region }, signal))
    }),
  ]
}

function setupCommand(host: Host | undefined): string {
  const pipeline = host?.pipeline === undefined ? '' : ` --pipeline ${host.pipeline}`
  return `${host ? 'sudo ' : ''}imgpipe setup${pipeline}`
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

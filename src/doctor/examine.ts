import { type Clients, createClients } from '../aws/clients.ts'
import type { Settings } from '../config/schema.ts'
import { ImgpipeError } from '../daemon/exit-codes.ts'
import { checkBucket, checkResultsBucket } from './bucket.ts'
import { checkCredentials } from './credentials.ts'
import { type Finding, type Role, right, unknown, wrong } from './finding.ts'
import { checkDisk, checkNode } from './machine.ts'
import { checkQueue } from './queue.ts'
import { checkClock, type Reached, reachS3 } from './reach.ts'
import { checkRecognition } from './recognition.ts'
import { checkUnits } from './units.ts'

export interface Examination {
  readonly role: Role
  /** @throws {ImgpipeError} with one mistake a line */
  readonly loadSettings: () => Settings
  /** for each check; it then counts as unanswered */
  readonly mostMilliseconds: number
}

/**
 * Looks at everything that a worker needs, and tells of each in turn. Where one thing is wrong that others rest
 * on, those are left out and say so. It always ends: what does not answer in time is wrong for that reason.
 */
export async function* examine({
  role,
  loadSettings,
  mostMilliseconds,
}: Examination): AsyncGenerator<Finding> {
  const limited = (check: (signal: AbortSignal) => Promise<Finding[]>) => inTime(mostMilliseconds, check)
  const settings = await readSettings(loadSettings)
  if (Array.isArray(settings)) {
    yield* settings
    yield checkNode()
    yield unknown('the rest', 'not looked at: the settings first')
  } else {
    const { bucket, queue, region } = settings
    yield right('settings', `bucket ${bucket}, queue ${queue}, region ${region}`)
    yield checkNode()
    yield* await limited(async () => [await checkDisk(settings.stateDir)])
    yield* examineServices(settings, role, limited)
  }
  yield* await limited(() => checkUnits(role))
}

type Limited = (check: (signal: AbortSignal) => Promise<Finding[]>) => Promise<Finding[]>

/** Asked all at once, told one after the other: an address that swallows everything costs its time once. */
async function* examineServices(settings: Settings, role: Role, limited: Limited): AsyncGenerator<Finding> {
  const clients = createClients(settings)
  try {
    let reached: Reached = { address: undefined, aheadMilliseconds: undefined, why: 'no answer came in time' }
    const [clock, credentials] = await Promise.all([
      limited(async (signal) => {
        reached = await reachS3(settings, signal)
        return [checkClock(reached)]
      }),
      limited(async (signal) => [await checkCredentials(clients.sqs, settings.queue, signal)]),
    ])
    yield* clock
    yield* credentials
    if (credentials.some(({ verdict }) => verdict === 'wrong')) {
      yield unknown('services', 'S3, SQS and Rekognition were not looked at: the credentials first')
      return
    }
    const rest = servicesOf(settings, role, clients, reached.address).map(limited)
    for (const findings of rest) yield* await findings
  } finally {
    clients.close()
  }
}

function servicesOf(settings: Settings, role: Role, clients: Clients, address: string | undefined) {
  const { bucket, prefix, region, resultsBucket, queue, maxAttempts } = settings
  const { s3, sqs, rekognition } = clients
  const one = (check: (signal: AbortSignal) => Promise<Finding>) => async (signal: AbortSignal) => [
    await check(signal),
  ]
  return [
    one((signal) => checkBucket(s3, { bucket, prefix, region, address }, signal)),
    ...(resultsBucket === '' || role === 'detector'
      ? []
      : [one((signal) => checkResultsBucket(s3, { bucket: resultsBucket, address }, signal))]),
    (signal: AbortSignal) => checkQueue(sqs, { queue, maxAttempts }, signal),
    ...operationsOf(role).map((operation) =>
      one((signal) => checkRecognition(rekognition, { operation, region }, signal)),
    ),
  ]
}

function operationsOf(role: Role): ('DetectLabels' | 'DetectText')[] {
  if (role === 'both') return ['DetectLabels', 'DetectText']
  return role === 'detector' ? ['DetectLabels'] : ['DetectText']
}

/** @returns the settings, or each of their mistakes */
async function readSettings(load: () => Settings): Promise<Settings | Finding[]> {
  try {
    return load()
  } catch (error) {
    if (!(error instanceof ImgpipeError)) throw error
    const { reason, message } = error
    return message.split('\n').map((line) => wrong('settings', reason, line, 'correct it there'))
  }
}

/** Also ends what does not heed the signal, such as a credential process that hangs. */
async function inTime(
  milliseconds: number,
  check: (signal: AbortSignal) => Promise<Finding[]>,
): Promise<Finding[]> {
  const signal = AbortSignal.timeout(milliseconds)
  // What a check did not expect is an answer too: the other lines still count.
  const work = check(signal).catch((error: unknown) => [
    wrong('a check', 'unavailable', `could not be made (${String(error)})`, 'please report it'),
  ])
  const late = new Promise<Finding[]>((resolve) => {
    const tell = () =>
      resolve([wrong('a check', 'unavailable', 'did not end in time', 'look at the network and at the disk')])
    // A little after the signal, so that what heeds it can say what it was waiting for.
    signal.addEventListener('abort', () => setTimeout(tell, 500).unref(), { once: true })
  })
  return Promise.race([work, late])
}

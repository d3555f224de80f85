import { toFault } from '../aws/errors.ts'
import { Pictures } from '../aws/pictures.ts'
import { Queue } from '../aws/queue.ts'
import { untilItWorks } from '../aws/retry.ts'
import { diskWatch } from '../daemon/disk-watch.ts'
import { ForeignRun } from './foreign-run.ts'
import { HeldMessages } from './held-messages.ts'
import { LocalRuns } from './local-runs.ts'
import { Reader, type ReaderParts } from './read.ts'
import { SharedRuns } from './shared-runs.ts'
import { SharedStore } from './shared-store.ts'

export type ReadContext = Pick<ReaderParts, 'settings' | 'clients' | 'log' | 'manager' | 'troubles' | 'stop'>

/** A stopping reader waits for its long poll, so that is kept at ten seconds; with --once nobody wants to wait. */
const waitSeconds = { resident: 10, once: 2 }
/** A message of a killed reader is seen by the next one after so long at most. */
const longestVisibilitySeconds = 60
const usualVisibilitySeconds = 30

/**
 * Worker B: reads until it is asked to stop.
 *
 * @param options.onFinished called with each run whose results are published
 * @throws {ImgpipeError} when a person has to act first
 */
export async function read(
  context: ReadContext,
  options: { once: boolean; onFinished: (run: string) => void },
): Promise<void> {
  const { settings, clients, troubles, stop, log, manager } = context
  const queue = await Queue.open(clients.sqs, settings.queue, { troubles, stop })
  const ownSeconds = await queue.visibilitySeconds()
  const visibilitySeconds = Math.max(
    2,
    Math.min(ownSeconds ?? usualVisibilitySeconds, longestVisibilitySeconds),
  )
  await findBucket(context)
  const { book, foreign } = await openBook(context, options.onFinished)
  const held = new HeldMessages(queue, troubles, visibilitySeconds)
  const reader = new Reader({
    ...context,
    queue,
    book,
    foreign,
    held,
    visibilitySeconds,
    waitSeconds: options.once ? waitSeconds.once : waitSeconds.resident,
  })
  log.info('the reader is ready', { queue: queue.url, bucket: settings.bucket, stateDir: settings.stateDir })
  try {
    await reader.go()
  } finally {
    manager.stopping()
    // Also after an error: what still waits in the background is not waited for.
    stop.begin()
    await book.close()
    log.info('the reader has stopped')
  }
}

/** With a results bucket several readers agree there; without one this reader is the only one, and its disk decides. */
async function openBook(context: ReadContext, onFinished: (run: string) => void) {
  const { settings, clients, troubles, stop, log } = context
  const { stateDir, bucket, label, resultsBucket } = settings
  const watch = diskWatch(context, 'no messages are taken until there is room')
  const common = { stateDir, bucket, label, log, watch, calls: clients.calls, onFinished }
  if (resultsBucket !== '') {
    const store = new SharedStore(clients.s3, resultsBucket, { troubles, signal: stop.soft })
    return { book: await SharedRuns.open({ ...common, store, signal: stop.soft }), foreign: undefined }
  }
  const book = await LocalRuns.open(common)
  return { book, foreign: new ForeignRun(book) }
}

/** A bucket that is not there is told at once and not with the first picture; one that may not be listed is fine. */
async function findBucket({ settings, clients, troubles, stop }: ReadContext): Promise<void> {
  const pictures = new Pictures(clients.s3, stop)
  const look = () =>
    pictures.regionOf(settings.bucket).catch((error) => {
      if (toFault(error).kind !== 'denied') throw error
    })
  await untilItWorks(look, { what: `read the bucket "${settings.bucket}"`, troubles, signal: stop.soft })
}

import { ImgpipeError } from '../host/exit-codes.ts'
import type { DetectorStatus } from '../state/detector-status.ts'
import type { ReaderStatus } from '../state/reader-status.ts'
import type { Role as Worker } from '../state/role.ts'
import { type RunStatus, readHostStatus } from '../state/run-status.ts'
import { type Finding, ok, skip, warn } from './finding.ts'
import type { Host } from './host.ts'
import { unitOf } from './units.ts'

const subject = 'runs'
/** Older ones that are open are of no use any more. */
const maxRuns = 20

/** Unfinished runs that do not progress: which, and what they wait for. How a finished run went is for `imgpipe status`. */
export async function checkRuns(
  { stateDir, keepRuns }: { stateDir: string; keepRuns: number },
  workers: readonly Worker[],
  host?: Host,
): Promise<Finding[]> {
  try {
    const { runs } = await readHostStatus(stateDir, { maxRuns, keepRuns, maxFailures: 0 })
    const waiting = runs.flatMap((run) => workers.flatMap((worker) => findings[worker](run, host)))
    return waiting.length > 0 ? waiting : [ok(subject, 'none is waiting')]
  } catch (error) {
    if (!(error instanceof ImgpipeError)) throw error
    return [skip(subject, `not checked: ${error.message.replace(/\.$/, '')}`)]
  }
}

const findings: Readonly<Record<Worker, (run: RunStatus, host: Host | undefined) => Finding[]>> = {
  detector: ({ run, detector }, host) => (detector ? detectorFindings(run, detector, host) : []),
  reader: ({ run, reader }, host) => (reader ? readerFindings(run, reader, host) : []),
}

function detectorFindings(
  run: string,
  { state, processed, total, waiting }: DetectorStatus,
  host: Host | undefined,
): Finding[] {
  if (state === 'working') return waitingFinding(run, waiting)
  if (state !== 'interrupted') return []
  const of = total === undefined ? '' : ` of ${total}`
  const detail = `run ${run} was interrupted after ${processed}${of} images`
  return [warn(subject, detail, `${startCommand('detector', host)}: it resumes the run`)]
}

function readerFindings(
  run: string,
  { state, recorded, count, waiting }: ReaderStatus,
  host: Host | undefined,
): Finding[] {
  if (state === 'working') return waitingFinding(run, waiting)
  if (state !== 'interrupted') return []
  const of = count === undefined ? '' : ` of ${count}`
  const detail = `run ${run} waits for the reader, which is not running: ${recorded}${of} cars are read`
  return [warn(subject, detail, startCommand('reader', host))]
}

function startCommand(worker: Worker, host: Host | undefined): string {
  if (host) return `sudo systemctl start ${unitOf(worker, host.pipeline)}`
  return worker === 'detector' ? 'start the detector again' : 'start the reader'
}

/** The worker's own sentence names the remedy, and the run if it is about one. */
function waitingFinding(run: string, waiting: string | undefined): Finding[] {
  if (waiting === undefined) return []
  return [warn(subject, waiting.startsWith('run ') ? waiting : `run ${run}: ${waiting}`)]
}

import { ImgpipeError } from '../host/exit-codes.ts'
import type { DetectorStatus } from '../state/detector-status.ts'
import type { ReaderStatus } from '../state/reader-status.ts'
import type { Role as Worker } from '../state/role.ts'
import { type RunStatus, readHostStatus } from '../state/run-status.ts'
import { type Finding, ok, skip, warn } from './finding.ts'

const subject = 'runs'
/** Older ones that are open are of no use any more. */
const maxRuns = 20

/** Unfinished runs that do not progress: which, and what they wait for. How a finished run went is for `imgpipe status`. */
export async function checkRuns(
  { stateDir, keepRuns }: { stateDir: string; keepRuns: number },
  workers: readonly Worker[],
): Promise<Finding[]> {
  try {
    const { runs } = await readHostStatus(stateDir, { maxRuns, keepRuns, maxFailures: 0 })
    const waiting = runs.flatMap((run) => workers.flatMap((worker) => findings[worker](run)))
    return waiting.length > 0 ? waiting : [ok(subject, 'none is waiting')]
  } catch (error) {
    if (!(error instanceof ImgpipeError)) throw error
    return [skip(subject, `not checked: ${error.message.replace(/\.$/, '')}`)]
  }
}

const findings: Readonly<Record<Worker, (run: RunStatus) => Finding[]>> = {
  detector: ({ run, detector }) => (detector ? detectorFindings(run, detector) : []),
  reader: ({ run, reader }) => (reader ? readerFindings(run, reader) : []),
}

function detectorFindings(run: string, { state, processed, total, waiting }: DetectorStatus): Finding[] {
  if (state === 'working') return waitingFinding(run, waiting)
  if (state !== 'interrupted') return []
  const of = total === undefined ? '' : ` of ${total}`
  const detail = `run ${run} was interrupted after ${processed}${of} images`
  return [warn(subject, detail, 'start the detector again: it resumes the run')]
}

function readerFindings(run: string, { state, recorded, count, waiting }: ReaderStatus): Finding[] {
  if (state === 'working') return waitingFinding(run, waiting)
  if (state !== 'interrupted') return []
  const of = count === undefined ? '' : ` of ${count}`
  const detail = `run ${run} waits for the reader, which is not running: ${recorded}${of} cars are read`
  return [warn(subject, detail, 'start the reader')]
}

/** The worker's own sentence names the remedy, and the run if it is about one. */
function waitingFinding(run: string, waiting: string | undefined): Finding[] {
  if (waiting === undefined) return []
  return [warn(subject, waiting.startsWith('run ') ? waiting : `run ${run}: ${waiting}`)]
}

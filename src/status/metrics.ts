import { callDollars, requestDollars } from '../aws/prices.ts'
import type { DetectorStatus } from '../state/detector-status.ts'
import type { WorkerStatus } from '../state/worker-status.ts'
import { type MetricFamily, openMetricsText, type Sample } from './openmetrics.ts'
import type { HostOverview, ReaderOverview } from './read-status.ts'
import { waitingReason, waitingReasons } from './waiting-reason.ts'

/** A worker that has run on this host, and the newest run that it knows. */
type WorkerView =
  | { readonly role: 'detector'; readonly worker: WorkerStatus; readonly run: DetectorStatus | undefined }
  | { readonly role: 'reader'; readonly worker: WorkerStatus; readonly run: ReaderOverview | undefined }

interface MetricContext {
  /** calls per worker and UTC day; 0 = no limit */
  readonly maxCallsPerDay: number
}

/** One metric: a value per worker, or several with further labels; undefined where there is nothing to say. */
export interface Metric extends Omit<MetricFamily, 'samples'> {
  /** beside `role` */
  readonly labels?: readonly string[]
  readonly value: (view: WorkerView, context: MetricContext) => number | undefined | readonly Sample[]
}

/** Every metric, in the order of the document; docs/continuous.md lists them. */
export const metrics: readonly Metric[] = [
  {
    name: 'imgpipe_worker_running',
    type: 'gauge',
    help: 'Whether the worker is running (1) or not (0).',
    value: ({ worker }) => bit(worker.isRunning),
  },
  {
    name: 'imgpipe_waiting',
    type: 'gauge',
    help: 'Whether the worker waits for something of this kind (1) or not (0) in an unfinished run.',
    labels: ['reason'],
    value: ({ worker }) => {
      const waiting = worker.waiting === undefined ? undefined : waitingReason(worker.waiting)
      return waitingReasons.map((reason) => ({ labels: { reason }, value: reason === waiting ? 1 : 0 }))
    },
  },
  {
    name: 'imgpipe_open_runs',
    type: 'gauge',
    help: 'Runs that are not finished.',
    value: ({ worker }) => worker.openRuns,
  },
  {
    name: 'imgpipe_open_run_start_timestamp_seconds',
    type: 'gauge',
    unit: 'seconds',
    help: 'When the oldest run that is not finished began on this worker; absent without one.',
    value: ({ worker }) => seconds(worker.openSince),
  },
  {
    name: 'imgpipe_last_success_timestamp_seconds',
    type: 'gauge',
    unit: 'seconds',
    help: 'When the worker last brought a run to its end; absent before the first time.',
    value: ({ worker }) => seconds(worker.lastSuccessAt),
  },
  {
    name: 'imgpipe_rekognition_calls',
    type: 'counter',
    help: 'Attempts of Rekognition calls by what they came to: answered (these are billed), throttled or failed.',
    labels: ['operation', 'region', 'result'],
    value: ({ worker }) =>
      worker.calls.flatMap(({ operation, region, ...results }) =>
        Object.entries(results).map(([result, value]) => ({ labels: { operation, region, result }, value })),
      ),
  },
  {
    name: 'imgpipe_cost_today_dollars',
    type: 'gauge',
    unit: 'dollars',
    help: 'List price of the Rekognition calls of this UTC day that are billed or may be.',
    value: ({ worker }) => dollars(callDollars(worker.callsToday.reserved)),
  },
  {
    name: 'imgpipe_cost_limit_dollars',
    type: 'gauge',
    unit: 'dollars',
    help: 'List price of the calls that "maxCallsPerDay" allows the worker in a UTC day; absent without a limit.',
    value: (_, { maxCallsPerDay }) => (maxCallsPerDay > 0 ? dollars(callDollars(maxCallsPerDay)) : undefined),
  },
  {
    name: 'imgpipe_run_start_timestamp_seconds',
    type: 'gauge',
    unit: 'seconds',
    help: 'When the newest run began on this worker.',
    value: ({ run }) => seconds(run?.startedAt),
  },
  {
    name: 'imgpipe_run_images',
    type: 'gauge',
    help: 'Images of the newest run that the detector has decided, by answers new and old.',
    value: (view) => (view.role === 'detector' ? view.run?.processed : undefined),
  },
  {
    name: 'imgpipe_run_expected_images',
    type: 'gauge',
    help: 'Images of the newest run in all; absent until that is known.',
    value: (view) => (view.role === 'detector' ? view.run?.total : view.run?.images),
  },
  {
    name: 'imgpipe_run_cars',
    type: 'gauge',
    help: 'Images with the label in the newest run: found by the detector, finished by the reader.',
    value: (view) => (view.role === 'detector' ? view.run?.cars : view.run?.recorded),
  },
  {
    name: 'imgpipe_run_expected_cars',
    type: 'gauge',
    help: 'Images with the label that the reader finishes in the newest run; absent until the detector has said it.',
    value: (view) => (view.role === 'reader' ? view.run?.count : undefined),
  },
  {
    name: 'imgpipe_run_texts',
    type: 'gauge',
    help: 'Images of the newest run with the label and text.',
    value: (view) => (view.role === 'reader' ? view.run?.texts : undefined),
  },
  {
    name: 'imgpipe_run_failed_images',
    type: 'gauge',
    help: 'Images of the newest run that the worker could not analyse.',
    value: ({ run }) => run?.failed,
  },
  {
    name: 'imgpipe_run_reused_answers',
    type: 'gauge',
    help: 'Answers of earlier runs that the newest run has used instead of paying for calls.',
    value: ({ run }) => run?.reused,
  },
  {
    name: 'imgpipe_run_cost_dollars',
    type: 'gauge',
    unit: 'dollars',
    help: 'List price of what the worker has asked of Rekognition, SQS and S3 in the newest run.',
    value: ({ run }) => run && dollars(callDollars(run.asked) + requestDollars(run.requests)),
  },
]

/**
 * The status of this host's workers as OpenMetrics text.
 *
 * @param host with the newest run of each of them
 * @param context.pipeline the label of the same name, on hosts with several pipelines
 */
export function metricsText(
  host: HostOverview,
  context: MetricContext & { readonly pipeline?: string | undefined },
): string {
  const views = viewsOf(host)
  const common = context.pipeline === undefined ? {} : { pipeline: context.pipeline }
  const families = metrics.map(({ value, labels: _, ...family }) => {
    const samples = views.flatMap((view) =>
      samplesOf(value(view, context)).map(({ labels, value }) => ({
        labels: { ...common, role: view.role, ...labels },
        value,
      })),
    )
    return { ...family, samples }
  })
  return openMetricsText(families)
}

function viewsOf({ detector, reader, runs }: HostOverview): WorkerView[] {
  const views: WorkerView[] = []
  const newestOf = (worker: WorkerStatus) => runs.find(({ run }) => run === worker.newestRun)
  if (detector) views.push({ role: 'detector', worker: detector, run: newestOf(detector)?.detector })
  if (reader) views.push({ role: 'reader', worker: reader, run: newestOf(reader)?.reader })
  return views
}

function samplesOf(value: ReturnType<Metric['value']>): readonly Sample[] {
  if (value === undefined) return []
  return typeof value === 'number' ? [{ labels: {}, value }] : value
}

function bit(value: boolean | undefined): number | undefined {
  return value === undefined ? undefined : Number(value)
}

function seconds(date: Date | undefined): number | undefined {
  return date && date.getTime() / 1000
}

/** Without the noise of binary fractions: to the millionth of a cent. */
function dollars(amount: number): number {
  return Number(amount.toFixed(8))
}

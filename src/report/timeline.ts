/** What a run did over its time. Times in milliseconds. */
export interface Timeline {
  /** When the first message was sent, since 1970; undefined when no image tells its times. */
  readonly start: number | undefined
  /** From the first message sent to the last outcome recorded. */
  readonly duration: number
  /** Images recorded per second, in each of the steps of `step` milliseconds. */
  readonly rates: readonly number[]
  readonly step: number
  /** Images sent and not yet recorded, at the most within each of as many steps as `rates` or more. */
  readonly depths: readonly number[]
  readonly maxDepth: number
  /** Images recorded, per second of the whole duration. */
  readonly meanRate: number
}

const maxRateSteps = 120
const maxDepthSteps = 240
/** Lengths of a step that are easy to read off: milliseconds up to days. */
const niceSteps = [
  50, 100, 200, 500, 1e3, 2e3, 5e3, 10e3, 15e3, 30e3, 60e3, 120e3, 300e3, 600e3, 1800e3, 3600e3, 7200e3,
  21600e3, 43200e3, 86400e3,
]

/** Collects each image's two times (16 bytes an image) and computes what they add up to. */
export class TimelineRecorder {
  readonly #sent: number[] = []
  readonly #recorded: number[] = []

  /** @param sentAt when the message was sent and @param at when its outcome was recorded, if known */
  add(sentAt: number | undefined, at: number | undefined): void {
    if (at === undefined) return
    // The sender's and the reader's clocks may differ: nothing is recorded before it is sent.
    this.#sent.push(Math.min(sentAt ?? at, at))
    this.#recorded.push(at)
  }

  timeline(): Timeline {
    const sent = Float64Array.from(this.#sent).sort()
    const recorded = Float64Array.from(this.#recorded).sort()
    const start = sent[0]
    const end = recorded.at(-1)
    if (start === undefined || end === undefined) return { ...emptyTimeline, start }
    const duration = Math.max(end - start, 1)
    const step = stepFor(duration, recorded.length)
    const depths = depthsOver(sent, recorded, start, duration)
    return {
      start,
      duration,
      step,
      rates: ratesOver(recorded, start, step, Math.ceil(duration / step)),
      depths,
      maxDepth: Math.max(...depths),
      meanRate: (recorded.length * 1000) / duration,
    }
  }
}

const emptyTimeline: Timeline = {
  start: undefined,
  duration: 0,
  rates: [],
  step: 0,
  depths: [],
  maxDepth: 0,
  meanRate: 0,
}

/** Fine enough to see the run's course, and coarse enough that a step holds images to count. */
function stepFor(duration: number, count: number): number {
  const steps = Math.min(maxRateSteps, Math.max(15, Math.ceil(count / 3)))
  const day = 86400e3
  return niceSteps.find((step) => duration / step <= steps) ?? Math.ceil(duration / steps / day) * day
}

function ratesOver(recorded: Float64Array, start: number, step: number, steps: number): number[] {
  const counts = new Array<number>(steps).fill(0)
  for (const at of recorded) {
    const i = Math.min(Math.floor((at - start) / step), steps - 1)
    counts[i] = (counts[i] ?? 0) + 1
  }
  return counts.map((count) => (count * 1000) / step)
}

/** Walks both sorted lists once; at equal times a message is sent before another one is recorded. */
function depthsOver(sent: Float64Array, recorded: Float64Array, start: number, duration: number): number[] {
  const depths = new Array<number>(maxDepthSteps).fill(0)
  let taken = 0
  let step = 0
  const walk = (time: number, depth: number, before: number) => {
    const now = Math.min(Math.floor(((time - start) / duration) * maxDepthSteps), maxDepthSteps - 1)
    while (step < now) depths[++step] = before
    depths[now] = Math.max(depths[now] ?? 0, depth)
  }
  sent.forEach((time, i) => {
    for (; (recorded[taken] ?? Number.POSITIVE_INFINITY) < time; taken += 1) {
      walk(recorded[taken] ?? time, i - taken - 1, i - taken)
    }
    walk(time, i + 1 - taken, i - taken)
  })
  for (; taken < recorded.length; taken += 1) {
    walk(recorded[taken] ?? start, sent.length - taken - 1, sent.length - taken)
  }
  return depths
}

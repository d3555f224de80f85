import { ImgpipeError } from '../daemon/exit-codes.ts'
import { pause } from '../daemon/stop-signal.ts'
import { describeFault, type Fault, toFault } from './errors.ts'
import type { Troubles } from './troubles.ts'

/** Thrown where work ends early because the process was asked to stop; never an outcome of a picture. */
export class Stopped extends Error {
  constructor() {
    super('stopped')
    this.name = 'Stopped'
  }
}

export interface Persistence {
  /** what is being done, for the log and for the sentence of the end: `send to the queue "imgpipe"` */
  readonly what: string
  readonly troubles: Troubles
  /** ends the waiting between attempts */
  readonly signal: AbortSignal
  /** gives up with exit 69 when it has not worked for so long; undefined = never */
  readonly giveUpMilliseconds?: number | undefined
}

const longestPauseMilliseconds = 15_000

/** @returns how long to wait before attempt `failures + 1`: doubling from 0.2 s, with full jitter in its upper half */
export function pauseMilliseconds(failures: number, random: () => number): number {
  const most = Math.min(longestPauseMilliseconds, 200 * 2 ** Math.min(failures, 10))
  return most / 2 + (random() * most) / 2
}

/**
 * Does `attempt` again until it works, through throttling, outages and expired credentials.
 *
 * @throws {ImgpipeError} `rights` or `settings` when a person has to act, `unavailable` after `giveUpMilliseconds`
 * @throws {Stopped} when the signal ends the waiting
 */
export async function untilItWorks<T>(attempt: () => Promise<T>, options: Persistence): Promise<T> {
  const since = performance.now()
  for (let failures = 0; ; failures++) {
    try {
      const result = await attempt()
      options.troubles.over(options.what)
      return result
    } catch (error) {
      const fault = toFault(error)
      refuseHopeless(fault, options.what)
      giveUpAfter(since, fault, options)
      if (options.signal.aborted) throw new Stopped()
      options.troubles.of(options.what, fault)
      await pause(pauseMilliseconds(failures, Math.random), options.signal)
    }
  }
}

/** @throws {ImgpipeError} when waiting cannot help */
export function refuseHopeless(fault: Fault, what: string): void {
  if (fault.kind === 'stopped') throw new Stopped()
  if (fault.kind === 'denied') {
    throw new ImgpipeError(
      'rights',
      `Cannot ${what}: access is denied (${describeFault(fault)}). Give the credentials or the instance role that right, then start again; nothing is lost.`,
      { cause: fault },
    )
  }
  if (fault.kind === 'missing') {
    throw new ImgpipeError(
      'settings',
      `Cannot ${what}: it does not exist (${describeFault(fault)}). Correct the setting or make it, then start again; nothing is lost.`,
      { cause: fault },
    )
  }
}

/** @param since ms of performance.now() when it last worked. @throws {ImgpipeError} `unavailable` when that is too long ago */
export function giveUpAfter(
  since: number,
  fault: Fault,
  { what, giveUpMilliseconds }: { what: string; giveUpMilliseconds?: number | undefined },
): void {
  if (giveUpMilliseconds === undefined || fault.kind === 'credentials') return
  if (performance.now() - since < giveUpMilliseconds) return
  const minutes = Math.round(giveUpMilliseconds / 60_000)
  throw new ImgpipeError(
    'unavailable',
    `Could not ${what} for ${minutes} minutes (${describeFault(fault)}): the service or the way to it is down. Start again later; nothing is lost.`,
    { cause: fault },
  )
}

import { randomInt } from 'node:crypto'

const runIdPattern = /^\d{8}T\d{6}Z-[0-9a-z]{4}$/
const foreignPattern = /^foreign-\d{8}T\d{6}Z-[0-9a-z]{4}$/

/** The last start that has four digits for its year. */
const lastStartMs = Date.parse('9999-12-31T23:59:59Z')

/**
 * @param after a run that began before, as this worker knows: the new one's start is later, whatever the clock says,
 *   because results.txt shows the run that began last
 * @returns a new run's id: UTC start and four random characters, `20261122T174500Z-3f9a`
 */
export function newRunId(start: Date, after?: string): string {
  const next = after !== undefined && isOwnOrForeign(after) ? startMsOf(after) + 1000 : 0
  // An id that names no date, or the last one, may have come from elsewhere.
  const earliest = next <= lastStartMs ? next : 0
  const second = new Date(Math.max(start.getTime(), earliest)).toISOString().replace(/[-:]|\.\d+/g, '')
  return `${second}-${randomInt(36 ** 4)
    .toString(36)
    .padStart(4, '0')}`
}

/** @returns the id of a run whose messages carry none (from another implementation's detector) */
export function newForeignRunId(start: Date, after?: string): string {
  return `foreign-${newRunId(start, after)}`
}

/** Whether a message may carry this run. It becomes a directory's name, so nothing else is let through. */
export function isRunId(text: string): boolean {
  return runIdPattern.test(text)
}

/** @returns when a run began, as the runs are ordered: UTC, `20261122T174500Z`; of a foreign run, by its reader's clock */
export function startOfRun(run: string): string {
  return run.replace('foreign-', '').slice(0, 16)
}

function isOwnOrForeign(run: string): boolean {
  return isRunId(run) || isForeignRunId(run)
}

function startMsOf(run: string): number {
  return Date.parse(startOfRun(run).replace(/^(....)(..)(..T..)(..)(..Z)$/, '$1-$2-$3:$4:$5'))
}

export function isForeignRunId(text: string): boolean {
  return foreignPattern.test(text)
}

import { randomInt } from 'node:crypto'

const runIdPattern = /^\d{8}T\d{6}Z-[0-9a-z]{4}$/
const foreignPattern = /^foreign-\d{8}T\d{6}Z-[0-9a-z]{4}$/

/** @returns a new run's id: UTC start and four random characters, `20261122T174500Z-3f9a` */
export function newRunId(start: Date): string {
  const second = start.toISOString().replace(/[-:]|\.\d+/g, '')
  return `${second}-${randomInt(36 ** 4)
    .toString(36)
    .padStart(4, '0')}`
}

/** @returns the id of a run whose messages carry none (from another implementation's detector) */
export function newForeignRunId(start: Date): string {
  return `foreign-${newRunId(start)}`
}

/** Whether a message may carry this run. It becomes a folder's name, so nothing else is let through. */
export function isRunId(text: string): boolean {
  return runIdPattern.test(text)
}

/** @returns when a run began, as the runs are ordered: UTC, `20261122T174500Z`; of a foreign run, by its reader's clock */
export function startOfRun(run: string): string {
  return run.replace('foreign-', '').slice(0, 16)
}

export function isForeignRunId(text: string): boolean {
  return foreignPattern.test(text)
}

import { until } from './command.ts'
import type { Machine } from './machine.ts'

/** Waits until the reader of a host has recorded the first outcome of a run over this prefix. */
export function firstOutcomeOf(machine: Machine, prefix: string): Promise<boolean> {
  return until(`an outcome of ${prefix}`, async () => {
    const query = `new (require("node:sqlite").DatabaseSync)("/var/lib/imgpipe/reader.sqlite", { readOnly: true })
      .prepare("SELECT 1 FROM outcomes WHERE key LIKE ?").get("${prefix}%") ?? process.exit(1)`
    const { status } = await machine.try(`/opt/imgpipe/current/bin/node --eval '${query}'`)
    return status === 0
  })
}

/**
 * Waits until the reader of a host has published a run over this prefix.
 *
 * @returns its lines, as a user without permissions reads them
 */
export function resultsOf(
  machine: Machine,
  prefix: string,
  directory = '/var/lib/imgpipe',
): Promise<string[]> {
  return until(`results of ${prefix}`, async () => {
    const { status } = await machine.try(`grep --quiet '^${prefix}' ${directory}/results.txt`)
    if (status !== 0) return undefined
    return (await machine.asVisitor(`cat ${directory}/results.txt`)).trimEnd().split('\n')
  })
}

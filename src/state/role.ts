import { join } from 'node:path'

/** The two workers. Each has a database of its own; they may share a state directory. */
export type Role = 'detector' | 'reader'

/** Where a worker keeps its state. */
export function databasePath(stateDir: string, role: Role): string {
  return join(stateDir, `${role}.sqlite`)
}

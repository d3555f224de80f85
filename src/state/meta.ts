import type { StateDatabase } from './database.ts'

/** Single values that a worker keeps between runs. Positions belong to one results bucket, whose name is empty for none. */
export type MetaName =
  | 'rate-per-second'
  | `last-end ${string} ${string}`
  | `exchange-cursor ${string}`
  | `published-position ${string}`
  | `once-baseline ${string}`

export function readMeta(database: StateDatabase, name: MetaName): string | undefined {
  const row = database.prepare('SELECT value FROM meta WHERE name = ?').get(name)
  return row === undefined ? undefined : String(row.value)
}

/** @returns a place in an order that begins at 1; 0 = none */
export function readPosition(database: StateDatabase, name: MetaName): number {
  return Number(readMeta(database, name) ?? 0)
}

/** Inside a commit. `undefined` removes the value. */
export function writeMeta(database: StateDatabase, name: MetaName, value: string | undefined): void {
  if (value === undefined) database.prepare('DELETE FROM meta WHERE name = ?').run(name)
  else database.prepare('INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)').run(name, value)
}

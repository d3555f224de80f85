import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'

export interface LedgerOutcome {
  key: string
  /** ms since 1970 */
  sentAt: number
  at: number
}

/** The outcomes of the only run in a reader's state folder. */
export async function readOutcomes(stateDir: string): Promise<LedgerOutcome[]> {
  const [run = ''] = await readdir(join(stateDir, 'runs'))
  const text = await readFile(join(stateDir, 'runs', run, 'ledger.ndjson'), 'utf8')
  const lines = text.trimEnd().split('\n')
  return lines.filter((line) => line.includes('"outcome"')).map((line) => JSON.parse(line) as LedgerOutcome)
}

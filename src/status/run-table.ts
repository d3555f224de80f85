import type { RunOverview } from './read-status.ts'
import { formatTime, startOf } from './status-text.ts'

const columns = ['run', 'started', 'detector', 'reader', 'images', 'cars', 'texts', 'failed'] as const
const unknown = '-'

/** `imgpipe runs` for people: one line per run. */
export function runTable(runs: readonly RunOverview[]): string[] {
  const rows = [columns, ...runs.map(cells)]
  const widths = columns.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)))
  return rows.map((row) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd(),
  )
}

function cells(overview: RunOverview): string[] {
  const { run, detector, reader } = overview
  const failed = (detector?.failed ?? reader?.detectorFailed ?? 0) + (reader?.failed ?? 0)
  return [
    run,
    formatTime(startOf(overview)),
    detector?.state ?? unknown,
    reader?.state ?? unknown,
    String(detector?.processed ?? reader?.images ?? unknown),
    String(detector?.cars ?? reader?.count ?? unknown),
    String(reader?.texts ?? unknown),
    String(failed),
  ]
}

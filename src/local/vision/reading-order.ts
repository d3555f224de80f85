import type { Box } from './results.ts'

/** Sorts lines in reading order: top to bottom, and left to right within a row. */
export function inReadingOrder<T>(lines: T[], boxOf: (line: T) => Box): T[] {
  const rows: T[][] = []
  for (const line of lines.toSorted((a, b) => middle(boxOf(a)) - middle(boxOf(b)))) {
    const row = rows.find((members) => members.every((member) => shareRow(boxOf(member), boxOf(line))))
    if (row === undefined) rows.push([line])
    else row.push(line)
  }
  return rows.flatMap((row) => row.toSorted((a, b) => boxOf(a).left - boxOf(b).left))
}

function middle({ top, height }: Box): number {
  return top + height / 2
}

/** Whether they overlap vertically by at least half the smaller height. */
function shareRow(a: Box, b: Box): boolean {
  const shared = Math.min(a.top + a.height, b.top + b.height) - Math.max(a.top, b.top)
  return shared >= Math.min(a.height, b.height) / 2
}

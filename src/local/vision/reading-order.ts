import type { Box } from './answers.ts'

/** Sorts lines as one reads: from top to bottom, and from left to right where they stand beside one another. */
export function inReadingOrder<T>(lines: T[], boxOf: (line: T) => Box): T[] {
  const rows: { first: Box; lines: T[] }[] = []
  for (const line of lines.toSorted((a, b) => boxOf(a).top - boxOf(b).top)) {
    const row = rows.find(({ first }) => standBeside(first, boxOf(line)))
    if (row === undefined) rows.push({ first: boxOf(line), lines: [line] })
    else row.lines.push(line)
  }
  return rows.flatMap((row) => row.lines.toSorted((a, b) => boxOf(a).left - boxOf(b).left))
}

/** They share at least half the height of the lower one. */
function standBeside(a: Box, b: Box): boolean {
  const shared = Math.min(a.top + a.height, b.top + b.height) - Math.max(a.top, b.top)
  return shared >= Math.min(a.height, b.height) / 2
}

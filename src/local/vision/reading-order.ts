import type { Box } from './answers.ts'

/** Sorts lines as one reads: from top to bottom, and from left to right where they stand beside one another. */
export function inReadingOrder<T>(lines: T[], boxOf: (line: T) => Box): T[] {
  const rows: T[][] = []
  for (const line of lines.toSorted((a, b) => middle(boxOf(a)) - middle(boxOf(b)))) {
    const row = rows.find((members) => members.every((member) => standBeside(boxOf(member), boxOf(line))))
    if (row === undefined) rows.push([line])
    else row.push(line)
  }
  return rows.flatMap((row) => row.toSorted((a, b) => boxOf(a).left - boxOf(b).left))
}

function middle({ top, height }: Box): number {
  return top + height / 2
}

/** They share at least half the height of the lower one. */
function standBeside(a: Box, b: Box): boolean {
  const shared = Math.min(a.top + a.height, b.top + b.height) - Math.max(a.top, b.top)
  return shared >= Math.min(a.height, b.height) / 2
}

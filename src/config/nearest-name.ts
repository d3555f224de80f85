/** Names that differ in more than this share of their letters are not mistyped. */
const maxDifference = 0.34

/** @returns the name that was probably meant; undefined when none is similar */
export function nearestName(mistyped: string, names: Iterable<string>): string | undefined {
  let nearest: string | undefined
  let least = Number.POSITIVE_INFINITY
  for (const name of names) {
    const length = Math.max(name.length, mistyped.length)
    const difference = editDistance(mistyped.toLowerCase(), name.toLowerCase()) / length
    if (difference > maxDifference || difference >= least) continue
    least = difference
    nearest = name
  }
  return nearest
}

/** Letters to insert, delete, replace or swap with their neighbour (optimal string alignment). */
function editDistance(one: string, other: string): number {
  let [previous, current] = [[] as number[], Array.from({ length: other.length + 1 }, (_, j) => j)]
  for (let i = 1; i <= one.length; i++) {
    const next = [i]
    for (let j = 1; j <= other.length; j++) {
      const at = (row: readonly number[], column: number) => row[column] ?? Number.POSITIVE_INFINITY
      const replaced = at(current, j - 1) + (one[i - 1] === other[j - 1] ? 0 : 1)
      const isSwap = i > 1 && one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1]
      const swapped = isSwap ? at(previous, j - 2) + 1 : Number.POSITIVE_INFINITY
      next.push(Math.min(replaced, swapped, at(current, j) + 1, at(next, j - 1) + 1))
    }
    previous = current
    current = next
  }
  return current[other.length] ?? 0
}

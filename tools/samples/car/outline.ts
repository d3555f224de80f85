/** A point of a blueprint, metres. */
export type Mark = readonly [number, number]

/** An outline written as SVG writes it: `1.9,0.2 2.05,0.3 …`. */
export const marks = (points: string): Mark[] =>
  points.split(' ').map((pair): Mark => {
    const [a, b] = pair.split(',').map(Number)
    return [a ?? 0, b ?? 0]
  })

/** Rounds a closed outline through its marks (Catmull-Rom). */
export function rounded(outline: readonly Mark[], stepsBetween = 6): Mark[] {
  const at = (index: number): Mark => outline[(index + outline.length) % outline.length] ?? [0, 0]
  return outline.flatMap((_, index) =>
    Array.from({ length: stepsBetween }, (_, step): Mark => {
      const corners = [at(index - 1), at(index), at(index + 1), at(index + 2)] as const
      return [between(corners, 0, step / stepsBetween), between(corners, 1, step / stepsBetween)]
    }),
  )
}

function between([a, b, c, d]: readonly [Mark, Mark, Mark, Mark], axis: 0 | 1, t: number): number {
  const bend = 2 * a[axis] - 5 * b[axis] + 4 * c[axis] - d[axis]
  const twist = 3 * (b[axis] - c[axis]) + d[axis] - a[axis]
  return 0.5 * (2 * b[axis] + (c[axis] - a[axis]) * t + bend * t * t + twist * t * t * t)
}

/** How far a point is from a closed outline, negative inside. */
export function distanceTo(outline: readonly Mark[], x: number, y: number): number {
  let nearest = Infinity
  let inside = false
  let before = outline[outline.length - 1] ?? ([0, 0] as const)
  for (const here of outline) {
    const dx = here[0] - before[0]
    const dy = here[1] - before[1]
    const share = ((x - before[0]) * dx + (y - before[1]) * dy) / (dx * dx + dy * dy + 1e-12)
    const clamped = Math.min(1, Math.max(0, share))
    nearest = Math.min(nearest, Math.hypot(x - before[0] - clamped * dx, y - before[1] - clamped * dy))
    if (before[1] > y !== here[1] > y && x < before[0] + ((y - before[1]) / dy) * dx) inside = !inside
    before = here
  }
  return inside ? -nearest : nearest
}

/** The other half of an outline that is given for z ≥ 0 only. */
export const mirrored = (half: readonly Mark[], axis: 0 | 1): Mark[] => [
  ...half,
  ...half.toReversed().map(([a, b]): Mark => (axis === 0 ? [-a, b] : [a, -b])),
]

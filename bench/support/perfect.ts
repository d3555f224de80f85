/**
 * The time (s) that a perfect caller would need, who knows the quota: each call is admitted as early as the bucket
 * allows, and the last answers take what the service's latency lets them take. The mean of some plays.
 *
 * @param admittedAt when the k-th call (1, 2, 3 …) can be admitted at the earliest, s
 */
export function perfectSeconds(
  images: number,
  admittedAt: (k: number) => number,
  { medianMs, p99Ms }: { medianMs: number; p99Ms: number },
): number {
  const plays = 50
  const slope = Math.log(p99Ms / medianMs) / 2.326
  let sum = 0
  for (let play = 0; play < plays; play += 1) {
    let last = 0
    for (let k = 1; k <= images; k += 1) {
      const normal = Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random())
      last = Math.max(last, admittedAt(k) + (medianMs / 1000) * Math.exp(slope * normal))
    }
    sum += last
  }
  return sum / plays
}

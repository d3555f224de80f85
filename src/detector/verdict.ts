import type { LabelFinding } from '../aws/recognition.ts'
import type { BoxTuple } from '../protocol/messages.ts'

/** Whether a picture shows what is looked for. */
export type Verdict =
  | { readonly verdict: 'car'; readonly confidence: number; readonly boxes: readonly BoxTuple[] }
  | { readonly verdict: 'none' }

/**
 * The decision: a label of exactly this name (case and all) with strictly more than `minConfidence`.
 * Of several labels of the name the most confident one counts.
 */
export function decide(findings: readonly LabelFinding[], label: string, minConfidence: number): Verdict {
  const sure = findings.filter(({ name, confidence }) => name === label && confidence > minConfidence)
  const best = sure.toSorted((a, b) => b.confidence - a.confidence)[0]
  return best ? { verdict: 'car', confidence: best.confidence, boxes: best.boxes } : { verdict: 'none' }
}

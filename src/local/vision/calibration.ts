import type { Box } from './answers.ts'

/**
 * The probability, in per cent, that a box is what the model says, from its raw score and its size.
 * @param score 0 to 1
 */
export function calibratedConfidence(_name: string, score: number, box: Box): number {
  const { slope, perLogArea, shift } = COEFFICIENTS
  const area = Math.max(SMALLEST_AREA, box.width * box.height)
  return 100 * sigmoid(slope * logit(score) + perLogArea * Math.log(area) + shift)
}

const COEFFICIENTS = { slope: 1.2, perLogArea: 0.55, shift: 3 }
const SMALLEST_AREA = 0.001

function logit(score: number): number {
  const clipped = Math.min(0.999, Math.max(0.01, score))
  return Math.log(clipped / (1 - clipped))
}

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x))
}

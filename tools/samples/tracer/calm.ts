import type { Exposure } from './exposure.ts'

/**
 * Takes the grain out of the light: five rounds of averaging with ever farther neighbours, across smooth surfaces
 * only (the edge-avoiding à-trous wavelet). What is painted on the surfaces stays sharp.
 */
export function calm(exposure: Exposure, grainy: Float32Array, rounds = 5): Float32Array {
  let light = grainy
  for (let round = 0; round < rounds; round += 1) light = smoothed(exposure, light, 2 ** round)
  return light
}

const kernel = [0.5, 1, 0.5]

function smoothed(exposure: Exposure, light: Float32Array, stride: number): Float32Array {
  const { width, height } = exposure
  const result = new Float32Array(light.length)
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) average(exposure, light, result, x, y, stride)
  }
  return result
}

function average(
  exposure: Exposure,
  light: Float32Array,
  result: Float32Array,
  x: number,
  y: number,
  stride: number,
) {
  const { width, height } = exposure
  const here = y * width + x
  let weights = 0
  let red = 0
  let green = 0
  let blue = 0
  for (let down = -1; down <= 1; down += 1) {
    for (let right = -1; right <= 1; right += 1) {
      const column = x + right * stride
      const row = y + down * stride
      if (column < 0 || row < 0 || column >= width || row >= height) continue
      const there = row * width + column
      const weight =
        (kernel[down + 1] ?? 0) * (kernel[right + 1] ?? 0) * likeness(exposure, light, here, there, stride)
      weights += weight
      red += weight * (light[there * 3] ?? 0)
      green += weight * (light[there * 3 + 1] ?? 0)
      blue += weight * (light[there * 3 + 2] ?? 0)
    }
  }
  result[here * 3] = red / weights
  result[here * 3 + 1] = green / weights
  result[here * 3 + 2] = blue / weights
}

/** 1 when two pixels show the same surface under the same light, near 0 when they do not. */
function likeness(
  { normal, away }: Exposure,
  light: Float32Array,
  here: number,
  there: number,
  stride: number,
): number {
  const turn = squared(normal, here, there)
  const farther = ((away[here] ?? 0) - (away[there] ?? 0)) / (away[here] ?? 1)
  const scale = (light[here * 3] ?? 0) + (light[here * 3 + 1] ?? 0) + (light[here * 3 + 2] ?? 0) + 0.05
  // In the first round a difference is grain, not a shadow's edge.
  const brighter = stride === 1 ? 0 : squared(light, here, there) / (scale * scale)
  return Math.exp(-turn * 30 - (farther * farther * 4000) / stride - brighter * 1.5 * stride) + 1e-6
}

function squared(layer: Float32Array, here: number, there: number): number {
  const x = (layer[here * 3] ?? 0) - (layer[there * 3] ?? 0)
  const y = (layer[here * 3 + 1] ?? 0) - (layer[there * 3 + 1] ?? 0)
  const z = (layer[here * 3 + 2] ?? 0) - (layer[there * 3 + 2] ?? 0)
  return x * x + y * y + z * z
}

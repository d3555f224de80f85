import type { Pixels } from './picture.ts'

/** How a model wants its bytes: (byte ÷ 255 − mean) ÷ deviation, for blue, green and red in this order. */
export interface Scaling {
  mean: [number, number, number]
  deviation: [number, number, number]
}

/**
 * A picture as three planes of numbers: blue, green, red, as PaddleOCR's models were trained.
 * @param width of the planes, at least the picture's; what lies to the right of the picture is 0
 */
export function toBgrPlanes(pixels: Pixels, { mean, deviation }: Scaling, width: number): Float32Array {
  const area = width * pixels.height
  const planes = new Float32Array(3 * area)
  for (const [plane, channel] of [2, 1, 0].entries()) {
    const scale = 1 / (255 * (deviation[plane] ?? 1))
    const shift = (mean[plane] ?? 0) / (deviation[plane] ?? 1)
    for (let y = 0; y < pixels.height; y++) {
      let from = y * pixels.width * 3 + channel
      const start = plane * area + y * width
      for (let to = start; to < start + pixels.width; to++, from += 3) {
        planes[to] = (pixels.data[from] ?? 0) * scale - shift
      }
    }
  }
  return planes
}

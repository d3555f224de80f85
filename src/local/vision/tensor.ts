import type { Pixels } from './image.ts'

/** Input normalization of a model: (byte ÷ 255 − mean) ÷ std, for blue, green and red in this order. */
export interface Normalization {
  mean: [number, number, number]
  std: [number, number, number]
}

/**
 * Converts an image to a normalized CHW tensor in BGR order, as PaddleOCR's models expect.
 * @param width of the tensor, at least the image's; the padding on the right is 0
 */
export function toBgrTensor(pixels: Pixels, { mean, std }: Normalization, width: number): Float32Array {
  const area = width * pixels.height
  const tensor = new Float32Array(3 * area)
  for (const [plane, channel] of [2, 1, 0].entries()) {
    const scale = 1 / (255 * (std[plane] ?? 1))
    const shift = (mean[plane] ?? 0) / (std[plane] ?? 1)
    for (let y = 0; y < pixels.height; y++) {
      let from = y * pixels.width * 3 + channel
      const start = plane * area + y * width
      for (let to = start; to < start + pixels.width; to++, from += 3) {
        tensor[to] = (pixels.data[from] ?? 0) * scale - shift
      }
    }
  }
  return tensor
}

import type { Pixels } from '../../../src/local/vision/image.ts'

/** A computed drawing, identical on every machine: a red octagon with a white rim on a pale sky. */
export function drawSign(width: number, height: number): Pixels {
  const data = Buffer.alloc(width * height * 3)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) data.set(colourAt(x, y, width, height), (y * width + x) * 3)
  }
  return { data, width, height }
}

function colourAt(x: number, y: number, width: number, height: number): [number, number, number] {
  const [across, down] = [Math.abs(x - width / 2), Math.abs(y - height / 2)]
  const distance = Math.max(across, down, (across + down) / Math.SQRT2) / (height * 0.35)
  if (distance < 0.92) return [190, 20, 30]
  if (distance < 1) return [245, 245, 245]
  if (across < width * 0.02 && y > height / 2) return [120, 120, 125]
  return [150 + Math.round((60 * y) / height), 190, 235 - Math.round((80 * y) / height)]
}

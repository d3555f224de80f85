import sharp from 'sharp'
import { linear, mix, type Vec, vec } from './vec.ts'

/** A painted sheet; u and v run from 0 to 1, from its top left corner. */
export interface Texture {
  colour(u: number, v: number): Vec
  /** 0 where the sheet is cut away, 1 where it is painted. */
  cover(u: number, v: number): number
}

const light = Float32Array.from({ length: 256 }, (_, value) => linear(value / 255))

/** Paints an SVG drawing; it must hold no `<text>`, for that would depend on the machine's fonts. */
export async function paint(svg: string): Promise<Texture> {
  const { data, info } = await sharp(Buffer.from(svg))
    .ensureAlpha()
    .raw()
    .toBuffer({ resolveWithObject: true })
  const { width, height } = info
  const texel = (column: number, row: number): number =>
    4 * (Math.min(height - 1, Math.max(0, row)) * width + Math.min(width - 1, Math.max(0, column)))
  const shade = (at: number): Vec =>
    vec(light[data[at] ?? 0] ?? 0, light[data[at + 1] ?? 0] ?? 0, light[data[at + 2] ?? 0] ?? 0)

  return {
    cover: (u, v) => (data[texel(Math.floor(u * width), Math.floor(v * height)) + 3] ?? 0) / 255,
    colour(u, v) {
      const x = u * width - 0.5
      const y = v * height - 0.5
      const column = Math.floor(x)
      const row = Math.floor(y)
      const top = mix(shade(texel(column, row)), shade(texel(column + 1, row)), x - column)
      const bottom = mix(shade(texel(column, row + 1)), shade(texel(column + 1, row + 1)), x - column)
      return mix(top, bottom, y - row)
    },
  }
}

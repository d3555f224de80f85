import sharp from 'sharp'
import { calm } from './calm.ts'
import { diceFor } from './chance.ts'
import type { Exposure } from './exposure.ts'

export interface Development {
  /** How much light the image gets; 1 unless told. */
  brightness?: number
  /** How far bright parts spill over, 0 to 1. */
  bloom?: number
}

/** Brings an exposure to paper: grain out, halos, film curve, JPEG. */
export async function develop(
  exposure: Exposure,
  { brightness = 1, bloom = 0.15 }: Development = {},
): Promise<Buffer> {
  const { width, height } = exposure
  const raw = { width, height, channels: 3 as const }
  const light = lit(exposure, brightness)
  const halo = await sharp(Buffer.from(light.map(overexposed)), { raw })
    .blur(width / 60)
    .raw()
    .toBuffer()
  const dice = diceFor(7)
  const paper = Buffer.alloc(light.length)
  for (let at = 0; at < light.length; at += 1) {
    const spill = ((halo[at] ?? 0) / 255) ** 2.2 * 4 * bloom
    const grain = (dice() - 0.5) * 2.5
    paper[at] = Math.min(255, Math.max(0, Math.round(255 * film((light[at] ?? 0) + spill) + grain)))
  }
  return sharp(paper, { raw }).jpeg({ quality: 84, mozjpeg: true }).toBuffer()
}

function lit(exposure: Exposure, brightness: number): Float32Array {
  const { colour, shine } = exposure
  const light = calm(exposure, exposure.light)
  const sheen = calm(exposure, exposure.sheen, 3)
  return light.map((lit, at) => brightness * (lit * (colour[at] ?? 0) + (sheen[at] ?? 0) + (shine[at] ?? 0)))
}

const overexposed = (light: number): number => 255 * Math.min(1, Math.max(0, light - 0.8) / 4) ** (1 / 2.2)

/** The film's curve: shadows deep, highlights never quite burnt out (Narkowicz's fit of ACES), then sRGB. */
function film(light: number): number {
  const x = light * 0.55
  const developed = (x * (2.51 * x + 0.03)) / (x * (2.43 * x + 0.59) + 0.14)
  return developed <= 0.0031308 ? developed * 12.92 : 1.055 * developed ** (1 / 2.4) - 0.055
}

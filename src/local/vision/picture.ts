import sharp, { type Sharp } from 'sharp'
import { UndecodablePicture } from './answers.ts'

/** Pixels of a picture, upright: red, green, blue, one byte each, row by row. */
export interface Pixels {
  data: Buffer
  width: number
  height: number
}

/**
 * Decodes a JPEG or PNG, turned upright by its EXIF orientation, on white where it is transparent.
 * @param longSide pictures whose longer side exceeds it, in pixels, are made smaller
 * @throws {UndecodablePicture}
 */
export async function decodePicture(picture: Uint8Array, longSide: number): Promise<Pixels> {
  const size = { width: longSide, height: longSide, fit: 'inside', withoutEnlargement: true } as const
  return await toPixels(async () => (await open(picture)).resize(size))
}

/** A size in pixels that need not keep the picture's shape, and how pixels are weighed on the way to it. */
export interface Size {
  width: number
  height: number
  kernel: 'linear' | 'lanczos3'
}

/**
 * Decodes a JPEG or PNG straight to another size: a JPEG is then decoded at a fraction
 * of its size, several times as fast as in full.
 * @throws {UndecodablePicture}
 */
export async function decodeToSize(picture: Uint8Array, size: Size): Promise<Pixels> {
  return await toPixels(async () => stretch(await open(picture), size))
}

/** A part of a picture stretched to a size; the part is in whole pixels and inside the picture. */
export async function resizePart(pixels: Pixels, part: Part, size: Size): Promise<Pixels> {
  const { data, width, height } = pixels
  const raw = { width, height, channels: 3 } as const
  return await toPixels(async () => stretch(sharp(data, { raw }).extract(part), size))
}

export interface Part {
  left: number
  top: number
  width: number
  height: number
}

async function open(picture: Uint8Array): Promise<Sharp> {
  const image = sharp(picture, { failOn: 'error' })
  const { format } = await image.metadata()
  if (format !== 'jpeg' && format !== 'png') throw new Error(`it is ${format}`)
  return image.autoOrient().flatten({ background: 'white' }).toColourspace('srgb')
}

function stretch(image: Sharp, { width, height, kernel }: Size): Sharp {
  return image.resize(width, height, { fit: 'fill', kernel })
}

async function toPixels(prepare: () => Promise<Sharp>): Promise<Pixels> {
  try {
    const image = await prepare()
    const { data, info } = await image.raw({ depth: 'uchar' }).toBuffer({ resolveWithObject: true })
    return { data: info.channels === 1 ? greyToRgb(data) : data, width: info.width, height: info.height }
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new UndecodablePicture(`The bytes cannot be decoded as a JPEG or PNG picture: ${reason}`, { cause })
  }
}

function greyToRgb(grey: Buffer): Buffer {
  const rgb = Buffer.alloc(grey.length * 3)
  for (const [at, level] of grey.entries()) rgb.fill(level, at * 3, at * 3 + 3)
  return rgb
}

import sharp, { type Sharp } from 'sharp'
import { UndecodableImage } from './results.ts'

/** Pixels of an upright image: RGB, one byte per channel, row by row. */
export interface Pixels {
  data: Buffer
  width: number
  height: number
}

/**
 * Decodes a JPEG or PNG, applies its EXIF orientation and flattens transparency onto white.
 * @param longSide maximum length of the longer side, in pixels; larger images are downscaled
 * @throws {UndecodableImage}
 */
export async function decodeImage(image: Uint8Array, longSide: number): Promise<Pixels> {
  const size = { width: longSide, height: longSide, fit: 'inside', withoutEnlargement: true } as const
  return await toPixels(async () => (await open(image)).resize(size))
}

/** A target size in pixels, regardless of the image's aspect ratio, and the resampling kernel. */
export interface Size {
  width: number
  height: number
  kernel: 'linear' | 'lanczos3'
}

/**
 * Decodes a JPEG or PNG directly to a target size: a JPEG is decoded at reduced resolution, which is several times
 * as fast as a full decode.
 * @throws {UndecodableImage}
 */
export async function decodeToSize(image: Uint8Array, size: Size): Promise<Pixels> {
  return await toPixels(async () => stretch(await open(image), size))
}

/** Resizes a part of an image; the part is in whole pixels and inside the image. */
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

async function open(image: Uint8Array): Promise<Sharp> {
  const decoder = sharp(image, { failOn: 'error' })
  const { format } = await decoder.metadata()
  if (format !== 'jpeg' && format !== 'png') throw new Error(`it is ${format}`)
  return decoder.autoOrient().flatten({ background: 'white' }).toColourspace('srgb')
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
    throw new UndecodableImage(`The bytes cannot be decoded as a JPEG or PNG image: ${reason}`, { cause })
  }
}

function greyToRgb(grey: Buffer): Buffer {
  const rgb = Buffer.alloc(grey.length * 3)
  for (const [at, level] of grey.entries()) rgb.fill(level, at * 3, at * 3 + 3)
  return rgb
}

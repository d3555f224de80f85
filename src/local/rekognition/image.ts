import sharp from 'sharp'
import type { StoredObjects } from '../storage.ts'
import { invalidParameter, RekognitionError } from './errors.ts'
import { type Members, type RequestShape, wrongType } from './request-shape.ts'

/** Amazon's limits (https://docs.aws.amazon.com/rekognition/latest/dg/limits.html), in bytes and pixels. */
export const maxBytesInRequest = 5 * 1024 * 1024
const maxBytesInS3 = 15 * 1024 * 1024
const minSide = 80

/** The location of a request's image. */
export type ImageSource =
  | { kind: 'bytes'; base64: string }
  | { kind: 's3'; bucket: string; name: string; version: string | undefined }

/** The request's `Image`: either Bytes or an S3Object. */
export function readImage(shape: RequestShape, request: Members): ImageSource {
  const image = shape.structure(request, 'Image')
  if (image === undefined) {
    shape.violation('Image', null, 'not be null')
    shape.check()
    throw invalidParameter('Image is missing.')
  }
  const base64 = shape.text(image, 'Bytes', { min: 1 })
  const s3Object = shape.structure(image, 'S3Object')
  if (base64 !== undefined && s3Object !== undefined) {
    throw invalidParameter('Image has both Bytes and S3Object; specify exactly one of them.')
  }
  if (base64 !== undefined) return { kind: 'bytes', base64 }
  if (s3Object === undefined)
    throw invalidParameter('Image has neither Bytes nor S3Object; specify exactly one of them.')
  return readS3Object(shape, s3Object)
}

function readS3Object(shape: RequestShape, s3Object: Members): ImageSource {
  const bucket = shape.text(s3Object, 'Bucket', { min: 3, max: 255, pattern: /^[0-9A-Za-z.\-_]*$/ })
  const name = shape.text(s3Object, 'Name', { min: 1, max: 1024, pattern: /^\S.*$/ })
  const version = shape.text(s3Object, 'Version', { min: 1, max: 1024 })
  if (bucket === undefined) throw invalidParameter('Image.S3Object has no Bucket.')
  if (name === undefined) throw invalidParameter('Image.S3Object has no Name.')
  return { kind: 's3', bucket, name, version }
}

/**
 * The image's bytes.
 *
 * @throws {RekognitionError} InvalidS3ObjectException, ImageTooLargeException, or SerializationException for
 *   bytes that are not valid base64
 */
export function loadImage(source: ImageSource, objects: StoredObjects): Uint8Array {
  return source.kind === 'bytes' ? decodeBase64(source.base64) : loadS3Object(source, objects)
}

function decodeBase64(base64: string): Uint8Array {
  const bytes = Buffer.from(base64, 'base64')
  // Buffer ignores invalid characters and also accepts the URL-safe alphabet.
  const padding = base64.endsWith('==') ? 2 : base64.endsWith('=') ? 1 : 0
  const expected = (base64.length / 4) * 3 - padding
  if (bytes.length !== expected || base64.includes('-') || base64.includes('_')) {
    throw wrongType('Image.Bytes', 'base64')
  }
  if (bytes.length > maxBytesInRequest) throw tooLarge(bytes.length, maxBytesInRequest, 'in a request')
  return bytes
}

function loadS3Object(source: ImageSource & { kind: 's3' }, objects: StoredObjects): Uint8Array {
  const { bucket, name, version } = source
  const size = objects.size(bucket, name)
  // The local S3 is unversioned; S3's version ID for such an object is "null".
  if (size === undefined || (version !== undefined && version !== 'null')) throw noSuchObject()
  if (size > maxBytesInS3) throw tooLarge(size, maxBytesInS3, 'from S3')
  return objects.bytes(bucket, name) ?? throwing(noSuchObject())
}

function noSuchObject(): RekognitionError {
  return new RekognitionError(
    'InvalidS3ObjectException',
    'Unable to get object metadata from S3. Check object key, region and/or access permissions.',
  )
}

function throwing(error: Error): never {
  throw error
}

export function tooLarge(bytes: number, limit: number, where: string): RekognitionError {
  const message = `Image size is too large: ${bytes} bytes; the maximum ${where} is ${limit} bytes.`
  return new RekognitionError('ImageTooLargeException', message)
}

/**
 * Rejects bytes that are not a valid image for this operation. Only the header is read.
 *
 * @param maxSide pixels; undefined where Amazon documents no limit
 * @throws {RekognitionError} InvalidImageFormatException, or InvalidParameterException for a size in pixels
 */
export async function checkImage(bytes: Uint8Array, maxSide?: number): Promise<void> {
  if (!isJpeg(bytes) && !isPng(bytes)) throw invalidFormat()
  const { width, height } = await sizeOf(bytes)
  if (width < minSide || height < minSide) {
    throw invalidParameter(
      `image dimensions ${width} x ${height} are below the minimum of ${minSide} pixels.`,
    )
  }
  if (maxSide !== undefined && (width > maxSide || height > maxSide)) {
    throw invalidParameter(`image dimensions ${width} x ${height} exceed the maximum of ${maxSide} pixels.`)
  }
}

export function invalidFormat(options?: ErrorOptions): RekognitionError {
  return new RekognitionError('InvalidImageFormatException', 'Request has invalid image format', options)
}

const jpegMagic = [0xff, 0xd8, 0xff]
const pngMagic = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]

function isJpeg(bytes: Uint8Array): boolean {
  return jpegMagic.every((byte, at) => bytes[at] === byte)
}

function isPng(bytes: Uint8Array): boolean {
  return pngMagic.every((byte, at) => bytes[at] === byte)
}

async function sizeOf(bytes: Uint8Array): Promise<{ width: number; height: number }> {
  try {
    const { width, height } = await sharp(bytes, { limitInputPixels: false }).metadata()
    return { width, height }
  } catch (cause) {
    throw invalidFormat({ cause })
  }
}

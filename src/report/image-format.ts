/** What a browser needs to know about an image before it has loaded it. */
export interface ImageFormat {
  readonly extension: 'jpg' | 'png'
  /** Pixels as shown, so after EXIF rotation. */
  readonly width: number
  readonly height: number
}

/** Format and size from an image's head; undefined when it is neither JPEG nor PNG, or has no size. */
export function imageFormat(bytes: Uint8Array): ImageFormat | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const format = withinBytes(() => pngFormat(view) ?? jpegFormat(view))
  return format !== undefined && format.width > 0 && format.height > 0 ? format : undefined
}

/** What `read` finds; undefined when it is led beyond the end of the bytes. */
function withinBytes<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    if (error instanceof RangeError) return undefined
    throw error
  }
}

/** PNG: eight bytes of signature, then the IHDR chunk with width and height (W3C PNG, 11.2.1). */
function pngFormat(view: DataView): ImageFormat | undefined {
  if (view.getUint32(0) !== 0x89504e47 || view.getUint32(4) !== 0x0d0a1a0a) return undefined
  return { extension: 'png', width: view.getUint32(16), height: view.getUint32(20) }
}

/** JPEG: segments of marker and length up to the frame header, which has the size (ITU T.81, B.2.2). */
function jpegFormat(view: DataView): ImageFormat | undefined {
  if (view.getUint16(0) !== 0xffd8) return undefined
  let turned = false
  for (let at = 2; ; at += 2 + view.getUint16(at + 2)) {
    while (view.getUint16(at) === 0xffff) at += 1
    const marker = view.getUint16(at)
    if (marker < 0xff01 || marker === 0xffda) return undefined
    if (marker === 0xffe1) turned ||= withinBytes(() => isTurned(view, at + 4)) ?? false
    if (isFrameHeader(marker)) return jpegSize(view, at, turned)
  }
}

function isFrameHeader(marker: number): boolean {
  // 0xc4, 0xc8 and 0xcc lie among the frame headers and are other segments.
  return marker >= 0xffc0 && marker <= 0xffcf && marker !== 0xffc4 && marker !== 0xffc8 && marker !== 0xffcc
}

function jpegSize(view: DataView, at: number, turned: boolean): ImageFormat {
  const [height, width] = [view.getUint16(at + 5), view.getUint16(at + 7)]
  return turned ? { extension: 'jpg', width: height, height: width } : { extension: 'jpg', width, height }
}

/** Whether an EXIF segment's orientation (tag 0x0112) is one of 5 to 8, which lay the image on its side. */
function isTurned(view: DataView, at: number): boolean {
  if (view.getUint32(at) !== 0x45786966) return false
  const tiff = at + 6
  const little = view.getUint16(tiff) === 0x4949
  const directory = tiff + view.getUint32(tiff + 4, little)
  const entries = view.getUint16(directory, little)
  for (let i = 0; i < entries; i += 1) {
    const entry = directory + 2 + i * 12
    if (view.getUint16(entry, little) === 0x0112) {
      const orientation = view.getUint16(entry + 8, little)
      return orientation >= 5 && orientation <= 8
    }
  }
  return false
}

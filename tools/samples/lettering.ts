/**
 * Letters as pen strokes on a 60 × 100 sheet, so that the images need no font and come out the same everywhere.
 */
const strokes: Record<string, string> = {
  A: 'M6 94 L30 6 L54 94 M15 66 H45',
  B: 'M10 6 V94 M10 6 H32 C54 6 54 47 32 47 H10 M32 47 C58 47 58 94 32 94 H10',
  C: 'M52 24 C46 2 10 -4 10 50 C10 104 46 98 52 76',
  D: 'M10 6 V94 H26 C58 94 58 6 26 6 Z',
  E: 'M52 6 H10 V94 H52 M10 48 H44',
  F: 'M52 6 H10 V94 M10 50 H44',
  G: 'M52 24 C46 2 8 -4 8 50 C8 104 52 100 52 72 V54 H33',
  H: 'M10 6 V94 M50 6 V94 M10 49 H50',
  I: 'M14 6 H46 M30 6 V94 M14 94 H46',
  J: 'M46 6 V66 C46 98 12 100 10 70',
  K: 'M10 6 V94 M52 6 L12 56 M24 42 L53 94',
  L: 'M10 6 V94 H52',
  M: 'M8 94 V6 L30 58 L52 6 V94',
  N: 'M9 94 V6 L51 94 V6',
  O: 'M30 6 C2 6 8 30 8 50 C8 70 2 94 30 94 C58 94 52 70 52 50 C52 30 58 6 30 6 Z',
  P: 'M10 94 V6 H32 C56 6 56 54 32 54 H10',
  Q: 'M30 6 C2 6 8 30 8 50 C8 70 2 94 30 94 C58 94 52 70 52 50 C52 30 58 6 30 6 Z M34 70 L54 98',
  R: 'M10 94 V6 H32 C55 6 55 51 32 51 H10 M32 51 L53 94',
  S: 'M51 24 C46 0 10 0 10 28 C10 58 52 42 52 72 C52 102 10 100 8 74',
  T: 'M5 6 H55 M30 6 V94',
  U: 'M9 6 V62 C9 104 51 104 51 62 V6',
  V: 'M6 6 L30 94 L54 6',
  W: 'M3 6 L16 94 L30 34 L44 94 L57 6',
  X: 'M8 6 L52 94 M52 6 L8 94',
  Y: 'M6 6 L30 52 L54 6 M30 52 V94',
  Z: 'M9 6 H51 L9 94 H52',
  0: 'M30 6 C8 6 10 34 10 50 C10 66 8 94 30 94 C52 94 50 66 50 50 C50 34 52 6 30 6 Z',
  1: 'M14 26 L33 6 V94',
  2: 'M10 30 C10 -2 50 -2 50 30 C50 50 12 72 9 94 H52',
  3: 'M11 6 H49 L28 40 C60 38 58 94 29 94 C16 94 10 86 8 76',
  4: 'M38 94 V6 L7 70 H54',
  5: 'M48 6 H15 L12 46 C22 34 52 36 52 64 C52 98 14 102 8 78',
  6: 'M44 6 C22 26 9 46 9 66 C9 104 52 102 52 67 C52 36 16 36 10 60',
  7: 'M8 6 H52 L22 94',
  8: 'M30 47 C4 47 6 6 30 6 C54 6 56 47 30 47 C0 47 2 94 30 94 C58 94 60 47 30 47 Z',
  9: 'M16 94 C38 74 51 54 51 34 C51 -4 8 -2 8 33 C8 64 44 64 50 40',
  '-': 'M14 52 H46',
  '&': 'M54 94 L16 32 C8 4 44 -2 42 22 C40 44 8 50 9 74 C10 104 48 96 52 56',
}

const narrow = new Set(['1', ' '])
const sheetHeight = 100

export interface Lettering {
  /** Height of the capitals, in the drawing's units. */
  height: number
  colour: string
  /** Thickness of the pen in the letters' own 100ths of their height. */
  pen?: number
  /** Room between the letters, likewise. */
  gap?: number
  /** How wide the letters are drawn; 1 as designed. */
  stretch?: number
}

/** SVG paths of a line of capitals, centred at x, standing on y. */
export function letters(text: string, x: number, y: number, style: Lettering): string {
  const { height, colour, pen = 13, gap = 16, stretch = 1 } = style
  const zoom = height / sheetHeight
  const wide = [...text].reduce((sum, letter) => sum + advance(letter) + gap, -gap)
  let left = -wide / 2
  const paths = [...text].map((letter) => {
    const path = `<path transform="translate(${left - (narrow.has(letter) ? 14 : 0)} 0)" d="${strokes[letter] ?? ''}"/>`
    left += advance(letter) + gap
    return path
  })
  return `<g transform="translate(${x} ${y - height}) scale(${zoom * stretch} ${zoom})" fill="none" stroke="${colour}"
    stroke-width="${pen}" stroke-linejoin="round" stroke-linecap="round">${paths.join('')}</g>`
}

const advance = (letter: string): number => (letter === ' ' ? 24 : narrow.has(letter) ? 32 : 60)

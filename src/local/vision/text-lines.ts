import type { Box, Point, TextLine, TextWord } from './answers.ts'
import { intersection } from './boxes.ts'
import type { ReadCharacter } from './ctc.ts'
import { type Quad, sliceQuad } from './quad.ts'

/** A line as it was read: its place in pixels, its characters in order. */
export interface ReadLine {
  quad: Quad
  characters: ReadCharacter[]
}

/** Lines without a letter or digit and lines that the model itself doubts are noise. */
export function isLegible({ characters }: ReadLine): boolean {
  return /[\p{L}\p{N}]/u.test(textOf(characters)) && meanProbability(characters) >= LOWEST_MEAN
}

const LOWEST_MEAN = 0.5

/** The surer of two readings of the same line. */
export function surest(a: ReadLine, b: ReadLine): ReadLine {
  return meanProbability(b.characters) > meanProbability(a.characters) ? b : a
}

/** Keeps, of readings of the same place, the one that is surer of itself; but a whole line rather than a piece of it. */
export function dropRepeated(lines: ReadLine[]): ReadLine[] {
  const kept: ReadLine[] = []
  const surestFirst = lines.toSorted((a, b) => meanProbability(b.characters) - meanProbability(a.characters))
  for (const line of surestFirst.filter((line) => !lines.some((other) => isPieceOf(line, other)))) {
    if (kept.every((other) => !samePlace(boundingBox(other.quad), boundingBox(line.quad)))) kept.push(line)
  }
  return kept
}

function isPieceOf(piece: ReadLine, whole: ReadLine): boolean {
  const [small, large] = [boundingBox(piece.quad), boundingBox(whole.quad)]
  if (meanProbability(whole.characters) < SURE_ENOUGH || !samePlace(small, large)) return false
  return large.width * large.height > LARGER * small.width * small.height
}

const SURE_ENOUGH = 0.8
const LARGER = 1.5

function samePlace(a: Box, b: Box): boolean {
  return intersection(a, b) > Math.min(a.width * a.height, b.width * b.height) / 2
}

/** The upright rectangle around a quad. */
export function boundingBox(quad: Quad): Box {
  const xs = quad.map(({ x }) => x)
  const ys = quad.map(({ y }) => y)
  const [left, top] = [Math.min(...xs), Math.min(...ys)]
  return { left, top, width: Math.max(...xs) - left, height: Math.max(...ys) - top }
}

/** A line in the form of the answer: shares of the picture, per cent, split into words at its spaces. */
export function toTextLine({ quad, characters }: ReadLine, width: number, height: number): TextLine {
  const describe = (part: ReadCharacter[], place: Quad): TextWord => ({
    text: textOf(part).trim(),
    confidence: 100 * meanProbability(part),
    polygon: place.map(({ x, y }) => ({ x: share(x, width), y: share(y, height) })),
  })
  const words = splitWords(characters).map((word) =>
    describe(word, sliceQuad(quad, ...extent(word, characters))),
  )
  return { ...describe(characters, quad), words }
}

function textOf(characters: ReadCharacter[]): string {
  return characters.map(({ character }) => character).join('')
}

/** How sure a line is, 0 to 1. */
export function meanProbability(characters: ReadCharacter[]): number {
  const sum = characters.reduce((total, { probability }) => total + probability, 0)
  return characters.length === 0 ? 0 : sum / characters.length
}

function share(pixels: number, side: number): Point['x'] {
  return Math.min(1, Math.max(0, pixels / side))
}

function splitWords(characters: ReadCharacter[]): ReadCharacter[][] {
  const words: ReadCharacter[][] = [[]]
  for (const character of characters) {
    if (character.character.trim() === '') words.push([])
    else words.at(-1)?.push(character)
  }
  return words.filter((word) => word.length > 0)
}

/** From half a character before the word's first to half a character after its last, as shares of the line. */
function extent(word: ReadCharacter[], line: ReadCharacter[]): [number, number] {
  const half = 0.5 / Math.max(1, line.length)
  const first = word[0]
  const last = word.at(-1)
  const from = first === line[0] ? 0 : (first?.at ?? 0) - half
  const to = last === line.at(-1) ? 1 : (last?.at ?? 1) + half
  return [Math.max(0, from), Math.min(1, to)]
}

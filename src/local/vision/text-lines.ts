import { intersectionArea } from './boxes.ts'
import type { ReadCharacter } from './ctc.ts'
import { type Quad, sliceQuad } from './quad.ts'
import type { Box, Point, TextLine, TextWord } from './results.ts'

/** A recognized line: its position in pixels and its characters in order. */
export interface ReadLine {
  quad: Quad
  characters: ReadCharacter[]
}

/** Lines without a letter or digit and lines of low confidence are noise. */
export function passesThreshold({ characters }: ReadLine): boolean {
  return /[\p{L}\p{N}]/u.test(textOf(characters)) && meanProbability(characters) >= MIN_MEAN_PROBABILITY
}

const MIN_MEAN_PROBABILITY = 0.5

/** The more confident of two readings of the same line. */
export function higherConfidence(a: ReadLine, b: ReadLine): ReadLine {
  return meanProbability(b.characters) > meanProbability(a.characters) ? b : a
}

/** Keeps the most confident reading of each position, but prefers a whole line to a fragment of it. */
export function removeDuplicates(lines: ReadLine[]): ReadLine[] {
  const kept: ReadLine[] = []
  const byConfidence = lines.toSorted((a, b) => meanProbability(b.characters) - meanProbability(a.characters))
  for (const line of byConfidence.filter((line) => !lines.some((other) => isFragmentOf(line, other)))) {
    if (kept.every((other) => !samePosition(boundingBox(other.quad), boundingBox(line.quad)))) kept.push(line)
  }
  return kept
}

function isFragmentOf(fragment: ReadLine, whole: ReadLine): boolean {
  const [small, large] = [boundingBox(fragment.quad), boundingBox(whole.quad)]
  if (meanProbability(whole.characters) < CONFIDENT || !samePosition(small, large)) return false
  return large.width * large.height > MIN_AREA_RATIO * small.width * small.height
}

const CONFIDENT = 0.8
const MIN_AREA_RATIO = 1.5

function samePosition(a: Box, b: Box): boolean {
  return intersectionArea(a, b) > Math.min(a.width * a.height, b.width * b.height) / 2
}

/** The axis-aligned bounding box of a quad. */
export function boundingBox(quad: Quad): Box {
  const xs = quad.map(({ x }) => x)
  const ys = quad.map(({ y }) => y)
  const [left, top] = [Math.min(...xs), Math.min(...ys)]
  return { left, top, width: Math.max(...xs) - left, height: Math.max(...ys) - top }
}

/** Converts a line to the result format: fractions of the image, percent, split into words at spaces. */
export function toTextLine({ quad, characters }: ReadLine, width: number, height: number): TextLine {
  const describe = (part: ReadCharacter[], place: Quad): TextWord => ({
    text: textOf(part).trim(),
    confidence: 100 * meanProbability(part),
    polygon: place.map(({ x, y }) => ({ x: toFraction(x, width), y: toFraction(y, height) })),
  })
  const words = splitWords(characters).map((word) =>
    describe(word, sliceQuad(quad, ...extent(word, characters))),
  )
  return { ...describe(characters, quad), words }
}

function textOf(characters: ReadCharacter[]): string {
  return characters.map(({ character }) => character).join('')
}

/** The confidence of a line, 0 to 1. */
export function meanProbability(characters: ReadCharacter[]): number {
  const sum = characters.reduce((total, { probability }) => total + probability, 0)
  return characters.length === 0 ? 0 : sum / characters.length
}

function toFraction(pixels: number, side: number): Point['x'] {
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

/** From half a character before the word to half a character after it, as fractions of the line. */
function extent(word: ReadCharacter[], line: ReadCharacter[]): [number, number] {
  const half = 0.5 / Math.max(1, line.length)
  const first = word[0]
  const last = word.at(-1)
  const from = first === line[0] ? 0 : (first?.at ?? 0) - half
  const to = last === line.at(-1) ? 1 : (last?.at ?? 1) + half
  return [Math.max(0, from), Math.min(1, to)]
}

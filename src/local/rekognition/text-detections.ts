import type { TextDetection } from '@aws-sdk/client-rekognition'
import type { Point, TextLine, TextWord } from '../vision/vision.ts'
import { boundingBox } from './polygon.ts'

const maxWords = 100

/**
 * DetectText's detections: all lines, then all words with the Id of their line. Only the first hundred words that pass
 * `keeps` are returned; a line consists of its returned words and is omitted if it has none.
 */
export function detectionsOf(lines: TextLine[], keeps: (word: TextWord) => boolean): TextDetection[] {
  let left = maxWords
  const kept = lines.flatMap((line) => {
    const words = line.words.filter(keeps).slice(0, left)
    left -= words.length
    return words.length === 0 ? [] : [lineOf(line, words)]
  })
  const named = kept.map((line, id) => detection('LINE', id, line))
  const words = kept.flatMap((line, parentId) => line.words.map((word) => ({ word, parentId })))
  const parts = words.map(({ word, parentId }, at) => ({
    ...detection('WORD', kept.length + at, word),
    ParentId: parentId,
  }))
  return [...named, ...parts]
}

/** The line unchanged, or reduced to fewer words. */
function lineOf(line: TextLine, words: TextWord[]): TextLine {
  if (words.length === line.words.length) return line
  const confidences = words.map(({ confidence }) => confidence)
  return {
    text: words.map(({ text }) => text).join(' '),
    confidence: confidences.reduce((sum, each) => sum + each, 0) / words.length,
    polygon: spanOf(words),
    words,
  }
}

/** From the first word's left edge to the last word's right edge; corners clockwise from the top left. */
function spanOf(words: TextWord[]): Point[] {
  const first = words.at(0)?.polygon ?? []
  const last = words.at(-1)?.polygon ?? []
  return [...first.slice(0, 1), ...last.slice(1, 3), ...first.slice(3, 4)]
}

function detection(type: 'LINE' | 'WORD', id: number, { text, confidence, polygon }: TextWord) {
  const { left, top, width, height } = boundingBox(polygon)
  return {
    DetectedText: text,
    Type: type,
    Id: id,
    Confidence: confidence,
    Geometry: {
      BoundingBox: { Width: width, Height: height, Left: left, Top: top },
      Polygon: polygon.map(({ x, y }) => ({ X: x, Y: y })),
    },
  } satisfies TextDetection
}

import type { Point, TextWord } from '../vision/vision.ts'
import { invalidParameter } from './errors.ts'
import { area, boundingBox, clip } from './polygon.ts'
import { asMembers, type Members, type RequestShape } from './request-shape.ts'

/** `Filters` of DetectText; sizes and positions are fractions of the image's width and height. */
export interface TextFilters {
  minConfidence: number
  minHeight: number
  minWidth: number
  /** Polygons; a word must be in one of them. Empty: no restriction. */
  regions: Point[][]
}

const maxRegions = 10
const maxCorners = 10
/** Tolerance for sums of rounded numbers, as in Amazon's validation. */
const rounding = 1e-6

/**
 * Amazon documents the default of WordFilter.MinConfidence both as 80 and as 0. It is 0 here, so that a filter by size
 * has no other effect.
 */
export function readTextFilters(shape: RequestShape, request: Members): TextFilters {
  const filters = shape.structure(request, 'Filters') ?? {}
  const words = shape.structure(filters, 'WordFilter') ?? {}
  const regions = shape.list(filters, 'RegionsOfInterest', { max: maxRegions }, (value, name) =>
    readRegion(shape, asMembers(value, name), name),
  )
  return {
    minConfidence: shape.number(words, 'MinConfidence', { min: 0, max: 100 }) ?? 0,
    minHeight: shape.number(words, 'MinBoundingBoxHeight', { min: 0, max: 1 }) ?? 0,
    minWidth: shape.number(words, 'MinBoundingBoxWidth', { min: 0, max: 1 }) ?? 0,
    regions: regions ?? [],
  }
}

function readRegion(shape: RequestShape, region: Members, name: string): Point[] {
  const box = shape.structure(region, 'BoundingBox')
  const corners = shape.list(region, 'Polygon', { max: maxCorners }, (value, corner) =>
    readCorner(shape, asMembers(value, corner), corner),
  )
  if (box !== undefined && corners !== undefined) {
    throw invalidParameter(`${name} has both BoundingBox and Polygon; specify exactly one of them.`)
  }
  if (box !== undefined) return readBox(shape, box, name)
  if (corners === undefined) {
    throw invalidParameter(`${name} has neither BoundingBox nor Polygon; specify exactly one of them.`)
  }
  if (corners.length < 3) throw invalidParameter(`${name} has a Polygon of fewer than 3 points.`)
  return corners
}

function readCorner(shape: RequestShape, corner: Members, name: string): Point {
  return { x: fraction(shape, corner, 'X', name), y: fraction(shape, corner, 'Y', name) }
}

function readBox(shape: RequestShape, box: Members, name: string): Point[] {
  const [left, top] = [fraction(shape, box, 'Left', name), fraction(shape, box, 'Top', name)]
  const right = left + fraction(shape, box, 'Width', name)
  const bottom = top + fraction(shape, box, 'Height', name)
  if (right > 1 + rounding || bottom > 1 + rounding) {
    throw invalidParameter(`${name} has a BoundingBox that extends beyond the image.`)
  }
  return [
    { x: left, y: top },
    { x: right, y: top },
    { x: right, y: bottom },
    { x: left, y: bottom },
  ]
}

function fraction(shape: RequestShape, members: Members, member: string, where: string): number {
  const value = shape.number(members, member, { min: 0, max: 1 })
  if (value === undefined) throw invalidParameter(`${where} has no ${member}.`)
  return value
}

/** All limits are inclusive; more than half of a word's area must be inside a region. */
export function passesWordFilters(word: TextWord, filters: TextFilters): boolean {
  const { width, height } = boundingBox(word.polygon)
  if (word.confidence < filters.minConfidence) return false
  if (width < filters.minWidth || height < filters.minHeight) return false
  const isIn = (region: Point[]) => area(clip(region, word.polygon)) > area(word.polygon) / 2
  return filters.regions.length === 0 || filters.regions.some(isIn)
}

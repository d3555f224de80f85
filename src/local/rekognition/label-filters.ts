import type { CompleteLabel } from './labels.ts'
import { type Members, type RequestShape, wrongType } from './request-shape.ts'

/** `Settings.GeneralLabels`: exact, case-sensitive names of labels and categories. */
export interface LabelFilters {
  includedLabels: string[]
  excludedLabels: string[]
  includedCategories: string[]
  excludedCategories: string[]
}

/** Limits of https://docs.aws.amazon.com/rekognition/latest/APIReference/API_GeneralLabelsSettings.html */
const maxFilters = 100
const maxNameLength = 50
// Amazon's pattern, unchanged: its hyphen forms a range, so most punctuation is allowed.
const namePattern = /^[A-Za-z0-9àâèçñó'-_(). ]*$/

export function readLabelFilters(shape: RequestShape, request: Members): LabelFilters {
  const settings = shape.structure(request, 'Settings') ?? {}
  const properties = shape.structure(settings, 'ImageProperties') ?? {}
  shape.integer(properties, 'MaxDominantColors', { min: 0, max: 20 })
  const general = shape.structure(settings, 'GeneralLabels') ?? {}
  const names = (member: string) => readNames(shape, general, member)
  return {
    includedLabels: names('LabelInclusionFilters'),
    excludedLabels: names('LabelExclusionFilters'),
    includedCategories: names('LabelCategoryInclusionFilters'),
    excludedCategories: names('LabelCategoryExclusionFilters'),
  }
}

function readNames(shape: RequestShape, members: Members, member: string): string[] {
  const limits = { max: maxNameLength, pattern: namePattern }
  const names = shape.list(members, member, { max: maxFilters }, (value, name) => {
    if (typeof value !== 'string') throw wrongType(name, 'a string')
    return shape.text({ [name]: value }, name, limits) ?? ''
  })
  return names ?? []
}

/**
 * With inclusion filters, only labels that match one of them by name or category; never a label that matches an
 * exclusion filter.
 */
export function passesFilters(label: CompleteLabel, filters: LabelFilters): boolean {
  const inCategory = (names: string[]) => label.Categories.some(({ Name }) => names.includes(Name))
  const { includedLabels, includedCategories, excludedLabels, excludedCategories } = filters
  if (excludedLabels.includes(label.Name) || inCategory(excludedCategories)) return false
  if (includedLabels.length === 0 && includedCategories.length === 0) return true
  return includedLabels.includes(label.Name) || inCategory(includedCategories)
}

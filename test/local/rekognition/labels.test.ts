import { describe, expect, it } from 'vitest'
import { type LabelFilters, passesFilters } from '../../../src/local/rekognition/label-filters.ts'
import { labelsOf } from '../../../src/local/rekognition/labels.ts'
import { object } from '../cloud.ts'

const street = [
  object('Person', 70),
  object('Car', 95),
  object('Truck', 97),
  object('Car', 99),
  object('Car', 40),
]

function names(objects: Parameters<typeof labelsOf>[0], minConfidence: number): string[] {
  return labelsOf(objects, minConfidence).map(({ Name, Confidence }) => `${Name} ${Confidence}`)
}

describe('labelsOf', () => {
  it('names objects and all their ancestors, best first, with the confidence of their best object', () => {
    expect(names(street, 55)).toEqual(['Car 99', 'Vehicle 99', 'Transportation 99', 'Truck 97', 'Person 70'])
  })

  it.each([
    [99, ['Car 99', 'Vehicle 99', 'Transportation 99']],
    [99.01, []],
    [70, ['Car 99', 'Vehicle 99', 'Transportation 99', 'Truck 97', 'Person 70']],
    [0, ['Car 99', 'Vehicle 99', 'Transportation 99', 'Truck 97', 'Person 70']],
  ])('leaves out what is below %d, and nothing that is exactly as sure', (minConfidence, expected) => {
    expect(names(street, minConfidence)).toEqual(expected)
  })

  it('gives each object as an instance, and ancestors none', () => {
    const [car, vehicle] = labelsOf(street, 30)
    expect(car?.Instances.map(({ Confidence }) => Confidence)).toEqual([99, 95, 40])
    expect(vehicle?.Instances).toEqual([])
    expect(labelsOf(street, 55)[0]?.Instances).toHaveLength(2)
  })

  it('writes every field as Amazon does', () => {
    const box = { left: 0.1, top: 0.2, width: 0.3, height: 0.4 }
    expect(labelsOf([object('Car', 98, box)], 55)[0]).toEqual({
      Name: 'Car',
      Confidence: 98,
      Instances: [{ BoundingBox: { Left: 0.1, Top: 0.2, Width: 0.3, Height: 0.4 }, Confidence: 98 }],
      Parents: [{ Name: 'Vehicle' }, { Name: 'Transportation' }],
      Aliases: [{ Name: 'Automobile' }],
      Categories: [{ Name: 'Vehicles and Automotive' }],
    })
  })
})

describe('passesFilters', () => {
  const none = { includedLabels: [], excludedLabels: [], includedCategories: [], excludedCategories: [] }
  const vehicles = 'Vehicles and Automotive'
  const everything = ['Car', 'Vehicle', 'Transportation', 'Truck', 'Person']
  it.each<[Partial<LabelFilters>, string[]]>([
    [{}, everything],
    [{ includedLabels: ['Car', 'Person'] }, ['Car', 'Person']],
    [{ includedLabels: ['car'] }, []],
    [{ includedLabels: ['Automobile'] }, []],
    [{ excludedLabels: ['Car'] }, ['Vehicle', 'Transportation', 'Truck', 'Person']],
    [{ includedCategories: [vehicles] }, ['Car', 'Vehicle', 'Truck']],
    [{ excludedCategories: [vehicles] }, ['Transportation', 'Person']],
    [{ includedCategories: [vehicles], excludedLabels: ['Vehicle', 'Truck'] }, ['Car']],
    [{ includedLabels: ['Person'], includedCategories: [vehicles] }, ['Car', 'Vehicle', 'Truck', 'Person']],
    [{ includedLabels: ['Car'], excludedLabels: ['Car'] }, []],
    [{ includedLabels: ['Car', 'Person'], excludedCategories: [vehicles] }, ['Person']],
  ])('%j leaves %j', (filters, expected) => {
    const passed = labelsOf(street, 55).filter((label) => passesFilters(label, { ...none, ...filters }))
    expect(passed.map(({ Name }) => Name)).toEqual(expected)
  })
})

import { expect, it } from 'vitest'
import { newestFirst } from '../../src/state/run-status.ts'

/** Runs by the hour in their IDs. */
function runs(...hours: string[]): string[] {
  return hours.map((hour) => (hour.startsWith('f') ? `foreign-${id(hour.slice(1))}` : id(hour)))
}

function id(hour: string): string {
  return `20261122T${hour.padStart(2, '0')}0000Z-aaaa`
}

it.each([
  { case: 'nothing', detector: [], reader: [], expected: [] },
  { case: 'one worker only', detector: [], reader: ['3', '2'], expected: ['3', '2'] },
  { case: 'the same runs', detector: ['3', '2'], reader: ['3', '2'], expected: ['3', '2'] },
  {
    case: 'a run that the reader has not seen yet',
    detector: ['3', '2'],
    reader: ['2'],
    expected: ['3', '2'],
  },
  {
    case: 'runs of other detectors, by time',
    detector: ['4', '1'],
    reader: ['5', '3', '2'],
    expected: ['5', '4', '3', '2', '1'],
  },
  {
    case: 'runs of other implementations, by time',
    detector: ['3', '1'],
    reader: ['f2'],
    expected: ['3', 'f2', '1'],
  },
  {
    case: 'a run between two known ones',
    detector: ['4', '2'],
    reader: ['4', 'f1', '2'],
    expected: ['4', 'f1', '2'],
  },
  // The clock was set back: the database's order holds.
  { case: 'a clock that was set back', detector: ['1', '5'], reader: ['1', '5'], expected: ['1', '5'] },
  {
    case: 'such a clock, and a run that one does not know',
    detector: ['1', '5'],
    reader: ['5'],
    expected: ['1', '5'],
  },
  {
    case: 'messages of an old run that came late',
    detector: ['3', '2'],
    reader: ['2', '3'],
    expected: ['3', '2'],
  },
])('merges $case', ({ detector, reader, expected }) => {
  expect(newestFirst(runs(...detector), runs(...reader))).toEqual(runs(...expected))
})

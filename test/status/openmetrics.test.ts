import { describe, expect, it } from 'vitest'
import { openMetricsText } from '../../src/status/openmetrics.ts'
import { parseOpenMetrics } from './openmetrics-format.ts'

const gauge = { name: 'up', type: 'gauge', help: 'Whether it is up.' } as const

describe('OpenMetrics text', () => {
  it('has type, unit and help before the samples, and an end', () => {
    const counter = {
      name: 'wait_seconds',
      type: 'counter',
      unit: 'seconds',
      help: 'Time "waited" \\ spent.',
    } as const
    const samples = [
      { labels: { role: 'reader' }, value: 1.5 },
      { labels: {}, value: 1e21 },
    ]
    expect(openMetricsText([{ ...counter, samples }])).toBe(
      `# TYPE wait_seconds counter
# UNIT wait_seconds seconds
# HELP wait_seconds Time \\"waited\\" \\\\ spent.
wait_seconds_total{role="reader"} 1.5
wait_seconds_total 1e+21
# EOF
`,
    )
  })

  it('leaves out a family without samples', () => {
    expect(openMetricsText([{ ...gauge, samples: [] }])).toBe('# EOF\n')
  })

  it.each(['a"b', 'a\\', '\\n', 'a\nb', '{x="y"}, z', ''])('carries the label value %j', (value) => {
    const text = openMetricsText([{ ...gauge, samples: [{ labels: { reason: value, x: 'y' }, value: 0 }] }])
    expect(parseOpenMetrics(text).get('up')?.samples).toEqual([
      { name: 'up', labels: { reason: value, x: 'y' }, value: 0 },
    ])
  })
})

describe('the check of the format', () => {
  const head = '# TYPE a gauge\n'
  it.each([
    ['no end', `${head}a 1\n`],
    ['text after the end', `${head}a 1\n# EOF\na 2\n`],
    ['no type', 'a 1\n# EOF\n'],
    ['a type that Prometheus text does not know', '# TYPE a info\na_info 1\n# EOF\n'],
    ['a counter without _total', '# TYPE a counter\na 1\n# EOF\n'],
    ['a family that ends in _total', '# TYPE a_total counter\na_total_total 1\n# EOF\n'],
    ['a negative counter', '# TYPE a counter\na_total -1\n# EOF\n'],
    ['a unit that the name lacks', '# TYPE a gauge\n# UNIT a seconds\na 1\n# EOF\n'],
    ['an unescaped quote', `${head}a{b="c"d"} 1\n# EOF\n`],
    ['an unknown escape', `${head}a{b="\\d"} 1\n# EOF\n`],
    ['a label twice', `${head}a{b="c",b="d"} 1\n# EOF\n`],
    ['a series twice', `${head}a{b="c"} 1\na{b="c"} 2\n# EOF\n`],
    ['a value that is no number', `${head}a undefined\n# EOF\n`],
    ['an empty line', `${head}\na 1\n# EOF\n`],
    ['families that interleave', `${head}a 1\n# TYPE b gauge\nb 1\n# HELP a A\n# EOF\n`],
    ['help after the samples', `${head}a 1\n# HELP a A\n# EOF\n`],
  ])('rejects %s', (_, text) => {
    expect(() => parseOpenMetrics(text)).toThrow(Error)
  })
})

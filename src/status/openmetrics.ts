/** The text format of OpenMetrics 1.0 (https://prometheus.io/docs/specs/om/open_metrics_spec). */

export type Labels = Readonly<Record<string, string>>

export interface Sample {
  readonly labels: Labels
  readonly value: number
}

export interface MetricFamily {
  /** ends in the unit, if there is one; a counter's samples get `_total` */
  readonly name: string
  readonly type: 'gauge' | 'counter'
  readonly unit?: 'seconds' | 'dollars'
  readonly help: string
  readonly samples: readonly Sample[]
}

/** @returns the whole document; a family without samples is left out */
export function openMetricsText(families: readonly MetricFamily[]): string {
  const lines = families.filter(({ samples }) => samples.length > 0).flatMap(familyLines)
  return [...lines, '# EOF', ''].join('\n')
}

/** The name of a family's samples. */
export function sampleName({ name, type }: Pick<MetricFamily, 'name' | 'type'>): string {
  return type === 'counter' ? `${name}_total` : name
}

function familyLines(family: MetricFamily): string[] {
  const { name, type, unit, help, samples } = family
  return [
    `# TYPE ${name} ${type}`,
    ...(unit === undefined ? [] : [`# UNIT ${name} ${unit}`]),
    `# HELP ${name} ${escaped(help)}`,
    ...samples.map(({ labels, value }) => `${sampleName(family)}${labelText(labels)} ${value}`),
  ]
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

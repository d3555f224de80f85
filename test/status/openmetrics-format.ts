/** A sample as a strict reader of OpenMetrics text understands it. */
export interface ParsedSample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface ParsedFamily {
  readonly type: string
  readonly unit: string | undefined
  readonly help: string | undefined
  readonly samples: readonly ParsedSample[]
}

interface OpenFamily {
  readonly name: string
  readonly metadata: Map<string, string>
  readonly samples: ParsedSample[]
}

const metadataLine = /^# (TYPE|UNIT|HELP) ([a-z_:][a-z0-9_:]*) (.*)$/i
const sampleLine =
  /^([a-z_:][a-z0-9_:]*)(?:\{([a-z_][a-z0-9_]*="(?:[^"\\]|\\[\\n"])*"(?:,[a-z_][a-z0-9_]*="(?:[^"\\]|\\[\\n"])*")*)\})? (\S+)$/i
const labelPair = /([a-z_][a-z0-9_]*)="((?:[^"\\]|\\[\\n"])*)"/gi
const realNumber = /^-?\d+(\.\d+)?(e[+-]?\d+)?$/

/**
 * Parses OpenMetrics text and rejects what the specification does (sections "Text format" and "MetricFamily"), as far as
 * gauges and counters without timestamps go.
 *
 * @throws {Error} with the line that is wrong
 */
export function parseOpenMetrics(text: string): Map<string, ParsedFamily> {
  if (!text.endsWith('# EOF\n')) throw new Error('the document does not end with "# EOF"')
  const families = new Map<string, OpenFamily>()
  const series = new Set<string>()
  let current: OpenFamily | undefined
  for (const line of text.slice(0, -'# EOF\n'.length).split('\n').slice(0, -1)) {
    const [, kind, name, value] = metadataLine.exec(line) ?? []
    if (kind === undefined || name === undefined || value === undefined) {
      addSample(current, line, series)
      continue
    }
    if (current?.name !== name) {
      if (families.has(name)) throw new Error(`the family is interleaved or repeated: ${line}`)
      current = { name, metadata: new Map(), samples: [] }
      families.set(name, current)
    }
    if (current.samples.length > 0) throw new Error(`metadata after samples: ${line}`)
    if (current.metadata.has(kind)) throw new Error(`metadata twice: ${line}`)
    current.metadata.set(kind, value)
  }
  return new Map([...families].map(([name, family]) => [name, checked(family)]))
}

function addSample(family: OpenFamily | undefined, line: string, series: Set<string>): void {
  const [, name, pairs = '', value = ''] = sampleLine.exec(line) ?? []
  if (name === undefined || !realNumber.test(value)) throw new Error(`not a sample: ${line}`)
  const labels: Record<string, string> = {}
  for (const [, label = '', text = ''] of pairs.matchAll(labelPair)) {
    if (label in labels) throw new Error(`label twice: ${line}`)
    labels[label] = text.replace(/\\(.)/g, (_, character) => (character === 'n' ? '\n' : character))
  }
  const id = `${name} ${JSON.stringify(Object.entries(labels).sort())}`
  if (series.has(id)) throw new Error(`series twice: ${line}`)
  series.add(id)
  const isCounter = family?.metadata.get('TYPE') === 'counter'
  if (name !== `${family?.name}${isCounter ? '_total' : ''}`) throw new Error(`of another family: ${line}`)
  if (isCounter && Number(value) < 0) throw new Error(`a negative counter: ${line}`)
  family?.samples.push({ name, labels, value: Number(value) })
}

function checked({ name, metadata, samples }: OpenFamily): ParsedFamily {
  const type = metadata.get('TYPE')
  const unit = metadata.get('UNIT')
  if (type !== 'gauge' && type !== 'counter') throw new Error(`${name} has the type ${type}`)
  if (unit !== undefined && !name.endsWith(`_${unit}`)) throw new Error(`${name} lacks its unit ${unit}`)
  if (/_(total|created|bucket|count|sum|info)$/.test(name)) throw new Error(`${name} has a reserved suffix`)
  return { type, unit, help: metadata.get('HELP'), samples }
}

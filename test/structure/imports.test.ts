import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const source = fileURLToPath(new URL('../../src/', import.meta.url))

/** Imports of every source file, type imports and dynamic ones included; paths within src. */
function importGraph(): Map<string, string[]> {
  const names = readdirSync(source, { recursive: true, encoding: 'utf8' })
  const files = names.filter((name) => name.endsWith('.ts') && !name.endsWith('.d.ts'))
  return new Map(files.map((file) => [file, importsOf(file)]))
}

function importsOf(file: string): string[] {
  const text = readFileSync(join(source, file), 'utf8')
  const specifiers = [...text.matchAll(/(?:from|import\()\s*'(\.[^']+\.ts)'/g)].map(([, path = '']) => path)
  return specifiers.map((specifier) => relative(source, join(source, dirname(file), specifier)))
}

/** Directories from the lowest to the highest: each may import from those before it, and from itself. */
const layers = [
  ['host', 'config'],
  ['flow'],
  ['protocol'],
  ['aws', 'results'],
  ['state'],
  ['detector', 'reader', 'local'],
  ['report', 'status', 'doctor'],
  ['demo'],
  ['commands'],
  ['cli.ts'],
]

function layerOf(file: string): number {
  return layers.findIndex((directories) => directories.includes(file.split('/')[0] ?? ''))
}

const graph = importGraph()
const edges = [...graph].flatMap(([file, imports]) => imports.map((imported) => [file, imported] as const))

describe('the source', () => {
  it('has no import cycle, type imports included', () => {
    expect(cyclesOf(graph)).toEqual([])
  })

  it('depends downwards only', () => {
    expect([...graph.keys()].filter((file) => layerOf(file) < 0)).toEqual([])
    const upward = edges.filter(([file, imported]) => layerOf(imported) > layerOf(file))
    expect(upward.map((edge) => edge.join(' → '))).toEqual([])
  })

  it.each([
    ['detector', 'reader'],
    ['reader', 'detector'],
    ['detector', 'local'],
    ['reader', 'local'],
    ['report', 'local'],
    ['status', 'local'],
    ['doctor', 'local'],
    ['config', 'host/environment.ts'],
  ])('%s never imports %s', (from, to) => {
    const found = edges.filter(([file, imported]) => file.startsWith(`${from}/`) && imported.startsWith(to))
    expect(found.map((edge) => edge.join(' → '))).toEqual([])
  })

  it('knows nothing of AWS in src/flow', () => {
    const files = [...graph.keys()].filter((file) => file.startsWith('flow/'))
    const texts = files.filter((file) => /@aws-sdk|@smithy/.test(readFileSync(join(source, file), 'utf8')))
    expect(texts).toEqual([])
  })
})

/** Each cycle once, as the files on it. */
function cyclesOf(imports: ReadonlyMap<string, readonly string[]>): string[] {
  const cycles: string[] = []
  const done = new Set<string>()
  const visit = (file: string, path: readonly string[]): void => {
    const start = path.indexOf(file)
    if (start >= 0) {
      cycles.push([...path.slice(start), file].join(' → '))
      return
    }
    if (done.has(file)) return
    for (const imported of imports.get(file) ?? []) visit(imported, [...path, file])
    done.add(file)
  }
  for (const file of imports.keys()) visit(file, [])
  return cycles
}

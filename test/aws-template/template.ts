import { readFileSync } from 'node:fs'
import { type CollectionTag, parse, type ScalarTag, type YAMLMap, type YAMLSeq } from 'yaml'

export type Value = string | number | boolean | null | Value[] | { [name: string]: Value }
export type Table = Record<string, Value>

export const templatePath = new URL('../../deploy/aws/imgpipe.yaml', import.meta.url).pathname

/** deploy/aws/imgpipe.yaml with the short forms of CloudFormation's functions (`!Ref x`) written out (`{Ref: x}`). */
export function readTemplate(): Table {
  template ??= table(parse(readFileSync(templatePath, 'utf8'), { customTags: shortForms.flatMap(tagsOf) }))
  return template
}

let template: Table | undefined

/** What is expected to be a mapping; anything else ends the test with the value. */
export function table(value: Value | undefined): Table {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value
  throw new Error(`a mapping was expected, not ${JSON.stringify(value)}`)
}

/** What is expected to be a list. */
export function list(value: Value | undefined): Value[] {
  if (Array.isArray(value)) return value
  throw new Error(`a list was expected, not ${JSON.stringify(value)}`)
}

/** What is expected to be a text, or a number to be used as one. */
export function text(value: Value | undefined): string {
  if (typeof value === 'string' || typeof value === 'number') return String(value)
  throw new Error(`a text was expected, not ${JSON.stringify(value)}`)
}

const shortForms = ['Ref', 'Condition', 'GetAtt', 'Sub', 'If', 'Equals', 'Not', 'And', 'Or']
shortForms.push('Select', 'Split', 'FindInMap', 'GetAZs')

/** A tag in its three shapes: `!Sub text`, `!If [a, b, c]` and `!Sub {…}`. */
function tagsOf(form: string): (ScalarTag | CollectionTag)[] {
  const name = form === 'Ref' || form === 'Condition' ? form : `Fn::${form}`
  const tag = `!${form}`
  const written = (value: unknown) => ({ [name]: value })
  return [
    { tag, resolve: (scalar) => written(form === 'GetAtt' ? scalar.split('.') : scalar) },
    { tag, collection: 'seq', resolve: (node: YAMLMap.Parsed | YAMLSeq.Parsed) => written(node.toJSON()) },
    { tag, collection: 'map', resolve: (node: YAMLMap.Parsed | YAMLSeq.Parsed) => written(node.toJSON()) },
  ]
}

import { list, readTemplate, type Table, table, text, type Value } from './template.ts'

/** What CloudFormation would make of the template: resources whose condition holds, their functions carried out. */
export interface Stack {
  readonly resources: Record<string, { readonly type: string; readonly properties: Table }>
  readonly outputs: Record<string, string>
}

/** The parameters that have no default, as a careful person gives them. */
export const usual = {
  KeyName: 'vockey',
  AllowedAddress: '203.0.113.7/32',
  Source: 'https://example.com/imgpipe.git',
}

/**
 * The stack that these parameters give, `usual` beneath them.
 *
 * @param answers what references to resources come to, in place of `known`
 * @throws {Error} for a parameter that CloudFormation refuses, with the template's own ConstraintDescription
 */
export function stackOf(given: Record<string, string> = {}, answers: Record<string, string> = {}): Stack {
  const template = readTemplate()
  const parameters = acceptedParameters(table(template.Parameters), { ...usual, ...given })
  const resolver = new Resolver(template, parameters, { ...known, ...answers })
  return {
    resources: mapped(resolver.standing('Resources'), (resource) => ({
      type: text(resource.Type),
      properties: table(resolver.resolve(resource.Properties ?? {})),
    })),
    outputs: mapped(resolver.standing('Outputs'), (output) => text(resolver.resolve(output.Value ?? null))),
  }
}

function mapped<Mapped>(entries: [string, Table][], map: (entry: Table) => Mapped): Record<string, Mapped> {
  return Object.fromEntries(entries.map(([name, entry]) => [name, map(entry)]))
}

function acceptedParameters(declared: Table, given: Record<string, string>): Record<string, string> {
  const unknown = Object.keys(given).filter((name) => !(name in declared))
  if (unknown.length > 0) throw new Error(`there is no parameter ${unknown.join(', ')}`)
  return Object.fromEntries(
    Object.entries(declared).map(([name, declaration]) => [
      name,
      accepted(name, table(declaration), given[name]),
    ]),
  )
}

function accepted(name: string, rules: Table, given: string | undefined): string {
  const value = given ?? text(rules.Default)
  const refuse = () => new Error(`${name} ${text(rules.ConstraintDescription ?? 'is refused')}`)
  if (rules.AllowedPattern !== undefined && !new RegExp(`^(?:${text(rules.AllowedPattern)})$`).test(value))
    throw refuse()
  if (rules.AllowedValues !== undefined && !list(rules.AllowedValues).includes(value)) throw refuse()
  if (rules.Type !== 'Number') return value
  const number = Number(value)
  if (!(number >= Number(rules.MinValue) && number <= Number(rules.MaxValue))) throw refuse()
  return value
}

/** Absent: what `AWS::NoValue` leaves. */
const nothing = Symbol('AWS::NoValue')
type Resolved = Value | typeof nothing

/** What AWS would answer for things that exist only there. */
const known: Record<string, string> = {
  'AWS::Partition': 'aws',
  'AWS::Region': 'us-east-1',
  'AWS::StackName': 'imgpipe',
  'AWS::StackId': 'arn:aws:cloudformation:us-east-1:111122223333:stack/imgpipe/1',
  'AWS::AccountId': '111122223333',
  ImageParameter: 'ami-0123456789abcdef0',
  Queue: 'https://sqs.us-east-1.amazonaws.com/111122223333/imgpipe-Queue',
  'Queue.Arn': 'arn:aws:sqs:us-east-1:111122223333:imgpipe-Queue',
  'DeadLetters.Arn': 'arn:aws:sqs:us-east-1:111122223333:imgpipe-DeadLetters',
  Results: 'vol-0123456789abcdef0',
  SharedResults: 'imgpipe-sharedresults-1',
}

class Resolver {
  readonly #template: Table
  readonly #parameters: Record<string, string>
  readonly #known: Record<string, string>

  constructor(template: Table, parameters: Record<string, string>, known: Record<string, string>) {
    this.#template = template
    this.#parameters = parameters
    this.#known = known
  }

  /** The entries of a section whose condition holds. */
  standing(section: string): [string, Table][] {
    return Object.entries(table(this.#template[section]))
      .map(([name, entry]): [string, Table] => [name, table(entry)])
      .filter(([, entry]) => entry.Condition === undefined || this.#holds(text(entry.Condition)))
  }

  resolve(value: Value): Value {
    const resolved = this.#resolve(value)
    if (resolved === nothing) throw new Error('AWS::NoValue stands where a value is needed')
    return resolved
  }

  #resolve(value: Value): Resolved {
    if (Array.isArray(value))
      return value.map((item) => this.#resolve(item)).filter((item) => item !== nothing)
    if (typeof value !== 'object' || value === null) return value
    const [name, argument] = Object.entries(value)[0] ?? []
    if (name !== undefined && argument !== undefined && /^(Ref|Fn::.*)$/.test(name))
      return this.#call(name, argument)
    const entries = Object.entries(value).map(([key, item]): [string, Resolved] => [key, this.#resolve(item)])
    return Object.fromEntries(entries.filter((entry): entry is [string, Value] => entry[1] !== nothing))
  }

  #call(name: string, argument: Value): Resolved {
    switch (name) {
      case 'Ref':
        return argument === 'AWS::NoValue' ? nothing : this.#reference(text(argument))
      case 'Fn::GetAtt':
        return this.#reference(list(argument).map(text).join('.'))
      case 'Fn::If':
        return this.#chosen(list(argument))
      case 'Fn::Sub':
        return this.#substituted(argument)
      case 'Fn::Base64':
        return this.resolve(argument)
      case 'Fn::FindInMap':
        return this.#found(list(argument).map(text))
      default:
        return pureFunction(name, list(this.resolve(argument)))
    }
  }

  #reference(name: string): string {
    const parameter = this.#parameters[name]
    if (parameter !== undefined) return this.#known[name] ?? parameter
    if (!name.startsWith('AWS::')) this.#mustBeMade(name.split('.')[0] ?? '')
    return this.#known[name] ?? name
  }

  #mustBeMade(logicalId: string): void {
    if (this.standing('Resources').some(([made]) => made === logicalId)) return
    throw new Error(`${logicalId} is referred to, but this stack does not have it`)
  }

  #chosen([condition, then, otherwise]: Value[]): Resolved {
    return this.#resolve((this.#holds(text(condition)) ? then : otherwise) ?? null)
  }

  #holds(condition: string): boolean {
    return this.#test(table(this.#template.Conditions)[condition] ?? null)
  }

  #test(expression: Value): boolean {
    const [name, argument] = Object.entries(table(expression))[0] ?? ['', null]
    if (name === 'Condition') return this.#holds(text(argument))
    const parts = list(argument)
    if (name === 'Fn::Not') return parts.every((part) => !this.#test(part))
    if (name === 'Fn::And') return parts.every((part) => this.#test(part))
    if (name === 'Fn::Or') return parts.some((part) => this.#test(part))
    const [left, right] = parts.map((part) => String(this.resolve(part)))
    return left === right
  }

  #substituted(argument: Value): string {
    const [pattern, variables] = Array.isArray(argument) ? argument : [argument, {}]
    const own = table(variables ?? {})
    return text(pattern).replace(/\$\{(!?)([^}]+)\}/g, (_, literal: string, name: string) => {
      if (literal !== '') return `\${${name}}`
      return own[name] === undefined ? this.#reference(name) : text(this.resolve(own[name]))
    })
  }

  #found(path: string[]): Value {
    return path.reduce<Value>((at, name) => table(at)[name] ?? null, this.#template.Mappings ?? null)
  }
}

function pureFunction(name: string, args: Value[]): Value {
  if (name === 'Fn::Split') return text(args[1]).split(text(args[0]))
  const chosen = name === 'Fn::Select' ? list(args[1])[Number(args[0])] : undefined
  if (chosen === undefined) throw new Error(`${name} of ${JSON.stringify(args)} cannot be carried out`)
  return chosen
}

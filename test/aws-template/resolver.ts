import { list, type Table, table, text, type Value } from './template.ts'

/** Absent: what `AWS::NoValue` leaves. */
const nothing = Symbol('AWS::NoValue')
type Resolved = Value | typeof nothing

/** Carries out the functions of a template, with values for its parameters. */
export class Resolver {
  readonly #template: Table
  readonly #parameters: Record<string, string>
  readonly #known: Record<string, string> | undefined

  /** @param known what references to resources result in; without it they stay as they are */
  constructor(template: Table, parameters: Record<string, string>, known?: Record<string, string>) {
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

  /** Evaluates the section Rules, as CloudFormation does before it creates or changes anything. */
  assertRules(): void {
    for (const rule of Object.values(table(this.#template.Rules)).map(table)) {
      if (rule.RuleCondition !== undefined && !this.#test(rule.RuleCondition)) continue
      for (const { Assert, AssertDescription } of list(rule.Assertions).map(table))
        if (!this.#test(Assert ?? null)) throw new Error(text(AssertDescription))
    }
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
    if (name === 'Fn::If') return this.#chosen(list(argument))
    if (name === 'Ref' && argument === 'AWS::NoValue') return nothing
    if (this.#known === undefined) return this.#kept(name, argument)
    switch (name) {
      case 'Ref':
        return this.#reference(text(argument))
      case 'Fn::GetAtt':
        return this.#reference(list(argument).map(text).join('.'))
      case 'Fn::Sub':
        return this.#substituted(argument)
      case 'Fn::Base64':
        return this.resolve(argument)
      case 'Fn::FindInMap':
        return this.#found(list(argument).map(text))
      case 'Fn::GetAZs':
        return ['us-east-1a', 'us-east-1b']
      default:
        return pureFunction(name, list(this.resolve(argument)))
    }
  }

  #kept(name: string, argument: Value): Resolved {
    const parameter = name === 'Ref' ? this.#parameters[text(argument)] : undefined
    if (name !== 'Fn::Sub') return parameter ?? { [name]: this.resolve(argument) }
    const [pattern, variables] = Array.isArray(argument) ? argument : [argument, {}]
    const own = table(this.resolve(variables ?? {}))
    const substituted = text(pattern).replace(/\$\{(\w+)\}/g, (use, it) => {
      const value = own[it] ?? this.#parameters[it]
      return value === undefined
        ? use
        : typeof value === 'object'
          ? `\${${referenced(value)}}`
          : String(value)
    })
    return { [name]: substituted }
  }

  #reference(name: string): string {
    const parameter = this.#parameters[name]
    if (parameter !== undefined) return this.#known?.[name] ?? parameter
    if (!name.startsWith('AWS::')) this.#mustExist(name.split('.')[0] ?? '')
    return this.#known?.[name] ?? name
  }

  #mustExist(logicalId: string): void {
    if (this.standing('Resources').some(([made]) => made === logicalId)) return
    throw new Error(`${logicalId} is referred to, but this stack does not have it`)
  }

  #chosen([condition, then, otherwise]: Value[]): Resolved {
    return this.#resolve((this.#holds(text(condition)) ? then : otherwise) ?? null)
  }

  #holds(condition: string): boolean {
    if (this.#known === undefined) return new Resolver(this.#template, this.#parameters, {}).#holds(condition)
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

/** What a reference refers to: a resource, an attribute of it, or something else by its function's name. */
function referenced(value: Value): string {
  const [[name, argument] = ['', null]] = Object.entries(table(value))
  if (name === 'Ref') return text(argument)
  return name === 'Fn::GetAtt' ? list(argument).join('.') : 'AWS::StackId'
}

function pureFunction(name: string, args: Value[]): Value {
  if (name === 'Fn::Split') return text(args[1]).split(text(args[0]))
  const chosen = name === 'Fn::Select' ? list(args[1])[Number(args[0])] : undefined
  if (chosen === undefined) throw new Error(`${name} of ${JSON.stringify(args)} cannot be carried out`)
  return chosen
}

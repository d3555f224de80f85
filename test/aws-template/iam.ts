import type { Stack } from './stack.ts'
import { list, type Table, table, text, type Value } from './template.ts'

export interface Statement {
  readonly actions: readonly string[]
  readonly resources: readonly string[]
  /** StringEquals: values of the request's context by condition key */
  readonly conditions: Readonly<Record<string, string>>
}

/**
 * What a role of the stack may do: by the policy of its worker (`detector`, `reader`), by another one, or by all.
 * Only the kind of statement that the template needs is understood: `Allow` with actions, resources and StringEquals;
 * anything else (Deny, NotAction, other conditions) ends the test, because this evaluator would read it wrongly.
 */
export function statementsOf(stack: Stack, role: string, name?: string): Statement[] {
  const policies = list(stack.resources[role]?.properties.Policies).map(table)
  return policies
    .filter(({ PolicyName }) => name === undefined || PolicyName === name)
    .flatMap((policy) => list(table(policy.PolicyDocument).Statement).map((it) => parsed(table(it))))
}

function parsed({ Effect, Action, Resource, Condition = { StringEquals: {} }, ...rest }: Table): Statement {
  const { StringEquals, ...others } = table(Condition)
  if (Effect !== 'Allow' || Object.keys({ ...rest, ...others }).length > 0) {
    throw new Error(`this evaluator does not understand ${JSON.stringify({ Effect, Condition, ...rest })}`)
  }
  const conditions = Object.fromEntries(
    Object.entries(table(StringEquals)).map(([key, value]) => [key, text(value)]),
  )
  return { actions: texts(Action), resources: texts(Resource), conditions }
}

function texts(value: Value | undefined): string[] {
  return Array.isArray(value) ? value.map(text) : [text(value)]
}

/** IAM's rule: denied unless some statement allows the action on the resource (IAM User Guide, "evaluation logic"). */
export function allows(
  statements: readonly Statement[],
  action: string,
  resource: string,
  context: Readonly<Record<string, string>> = {},
): boolean {
  return statements.some(
    ({ actions, resources, conditions }) =>
      actions.some((pattern) => matches(pattern.toLowerCase(), action.toLowerCase())) &&
      resources.some((pattern) => matches(pattern, resource)) &&
      Object.entries(conditions).every(([key, value]) => context[key] === value),
  )
}

/** `*` stands for any characters, `?` for one; actions know no case, resources do. */
function matches(pattern: string, name: string): boolean {
  const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`, 's').test(name)
}

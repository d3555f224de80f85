import type { Stack } from './stack.ts'
import { list, type Table, table, text, type Value } from './template.ts'

export interface Statement {
  readonly actions: readonly string[]
  readonly resources: readonly string[]
}

/**
 * What a role of the stack may do. Only the kind of statement that the template needs is understood: `Allow` with
 * actions and resources; anything else (Deny, NotAction, a condition) ends the test, for this would read it wrongly.
 */
export function statementsOf(stack: Stack, role: string): Statement[] {
  const policies = list(stack.resources[role]?.properties.Policies).map(table)
  return policies.flatMap((policy) =>
    list(table(policy.PolicyDocument).Statement).map((it) => parsed(table(it))),
  )
}

function parsed({ Effect, Action, Resource, ...rest }: Table): Statement {
  if (Effect !== 'Allow' || Object.keys(rest).length > 0) {
    throw new Error(`this evaluator does not understand ${JSON.stringify({ Effect, ...rest })}`)
  }
  return { actions: texts(Action), resources: texts(Resource) }
}

function texts(value: Value | undefined): string[] {
  return Array.isArray(value) ? value.map(text) : [text(value)]
}

/** IAM's rule: denied unless some statement allows the action on the resource (IAM User Guide, "evaluation logic"). */
export function allows(statements: readonly Statement[], action: string, resource: string): boolean {
  return statements.some(
    ({ actions, resources }) =>
      actions.some((pattern) => matches(pattern.toLowerCase(), action.toLowerCase())) &&
      resources.some((pattern) => matches(pattern, resource)),
  )
}

/** `*` stands for any characters, `?` for one; actions know no case, resources do. */
function matches(pattern: string, name: string): boolean {
  const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`^${escaped.replaceAll('*', '.*').replaceAll('?', '.')}$`, 's').test(name)
}

import { Resolver } from './resolver.ts'
import { list, readTemplate, type Table, table, text } from './template.ts'

/** What CloudFormation would make of the template: resources whose condition holds, their functions carried out. */
export interface Stack {
  readonly resources: Record<string, { readonly type: string; readonly properties: Table }>
  readonly outputs: Record<string, string>
}

/** The parameters that a stack in the default VPC needs. */
export const usual = {
  KeyName: 'vockey',
  AllowedAddress: '203.0.113.7/32',
  Repository: 'https://example.com/imgpipe.git',
  Tag: 'v1.0.0',
  ImageId: 'ami-0123456789abcdef0',
}

/**
 * The stack that these parameters give, `usual` beneath them.
 *
 * @param answers what references to resources come to, in place of `known`
 * @throws {Error} for parameters that CloudFormation rejects, with the template's own ConstraintDescription or
 *   AssertDescription
 */
export function stackOf(given: Record<string, string> = {}, answers: Record<string, string> = {}): Stack {
  const template = readTemplate()
  const parameters = acceptedParameters(table(template.Parameters), { ...usual, ...given })
  const resolver = new Resolver(template, parameters, { ...known, ...answers })
  resolver.assertRules()
  return {
    resources: mapped(resolver.standing('Resources'), (resource) => ({
      type: text(resource.Type),
      properties: table(resolver.resolve(resource.Properties ?? {})),
    })),
    outputs: mapped(resolver.standing('Outputs'), (output) => text(resolver.resolve(output.Value ?? null))),
  }
}

/**
 * The template for these parameters, without conditions and with values in place of parameters. References to resources
 * stay as they are.
 */
export function templateOf(given: Record<string, string> = {}): Table {
  const template = readTemplate()
  const parameters = acceptedParameters(table(template.Parameters), { ...usual, ...given })
  const resolver = new Resolver(template, parameters)
  const resources = resolver
    .standing('Resources')
    .map(([name, { Condition, ...resource }]) => [name, resource])
  return {
    Mappings: template.Mappings ?? {},
    Resources: resolver.resolve(Object.fromEntries(resources)),
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
  if (given === undefined && rules.Default === undefined) throw new Error(`${name} is missing`)
  const value = given ?? text(rules.Default)
  const refuse = () => new Error(`${name} ${text(rules.ConstraintDescription ?? 'is refused')}`)
  if (rules.AllowedPattern !== undefined && !new RegExp(`^(?:${text(rules.AllowedPattern)})$`).test(value))
    throw refuse()
  if (rules.AllowedValues !== undefined && !list(rules.AllowedValues).map(text).includes(value))
    throw refuse()
  if (rules.Type !== 'Number') return value
  const number = Number(value)
  if (!(number >= Number(rules.MinValue ?? 0) && number <= Number(rules.MaxValue ?? number))) throw refuse()
  return value
}

const handleUrl = 'https://cloudformation-waitcondition-us-east-1.s3.amazonaws.com/arn%3Aaws%3A'
const stackId =
  'arn:aws:cloudformation:us-east-1:111122223333:stack/imgpipe/51af3dc0-da77-11e4-872e-1234567db123'

/** What AWS would answer for things that exist only there. */
const known: Record<string, string> = {
  'AWS::Partition': 'aws',
  'AWS::Region': 'us-east-1',
  'AWS::StackName': 'imgpipe',
  'AWS::StackId': stackId,
  'AWS::AccountId': '111122223333',
  Queue: 'https://sqs.us-east-1.amazonaws.com/111122223333/imgpipe-Queue',
  'Queue.Arn': 'arn:aws:sqs:us-east-1:111122223333:imgpipe-Queue',
  'DeadLetterQueue.Arn': 'arn:aws:sqs:us-east-1:111122223333:imgpipe-DeadLetterQueue',
  ResultsVolume: 'vol-0123456789abcdef0',
  SharedResults: 'imgpipe-sharedresults-1',
  'SharedResults.Arn': 'arn:aws:s3:::imgpipe-sharedresults-1',
  Logs: 'imgpipe-Logs-1',
  'Logs.Arn': 'arn:aws:logs:us-east-1:111122223333:log-group:imgpipe-Logs-1:*',
  DetectorHandle: `${handleUrl}DetectorHandle?AWSAccessKeyId=AKIDEXAMPLE&Expires=1&Signature=a%2Bb%3D`,
  ReaderHandle: `${handleUrl}ReaderHandle?AWSAccessKeyId=AKIDEXAMPLE&Expires=1&Signature=a%2Bb%3D`,
}

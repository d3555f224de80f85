import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { App, Stack } from 'aws-cdk-lib'
import { CfnInclude } from 'aws-cdk-lib/cloudformation-include'
import { AwsSolutionsChecks } from 'cdk-nag'
import { templateOf } from '../stack.ts'
import { exceptions } from './exceptions.ts'

/**
 * Checks deploy/aws/imgpipe.yaml against cdk-nag's AwsSolutions rules. Fails for a finding that exceptions.ts does not
 * explain, and for an exception that explains nothing. The rules cannot look into conditions: each set of parameters is
 * checked as the template that it results in.
 */
const archive = { Archive: 's3://releases/imgpipe-1.0.0-linux-x64.tar.gz', Repository: '', Tag: '' }
const vpc = { VpcId: 'vpc-1', SubnetId: 'subnet-1', AvailabilityZone: 'us-east-1c' }
const topic = { AlarmTopic: 'arn:aws:sns:us-east-1:111122223333:operations' }
const parameterSets: Record<string, string>[] = [
  {},
  { InstanceProfile: 'LabInstanceProfile', KeyName: 'vockey' },
  { ...archive, ...vpc, MaxReaders: '3', LogRetentionDays: '30', Prefix: 'cars/' },
  { ...archive, ...topic, MaxReaders: '3', ResultsBucket: 'outcomes', SessionManager: 'false' },
]

interface NagFinding {
  readonly rule: string
  readonly resource: string
  readonly description: string
}

function findingsOf(parameters: Record<string, string>): NagFinding[] {
  const directory = mkdtempSync(join(tmpdir(), 'imgpipe-rules-'))
  const templateFile = join(directory, 'template.json')
  try {
    writeFileSync(templateFile, JSON.stringify(templateOf(parameters)))
    const stack = new Stack(new App({ outdir: join(directory, 'out') }), 'stack')
    new CfnInclude(stack, 'template', { templateFile })
    const { violations } = new AwsSolutionsChecks(stack).validateScope(stack)
    return violations.flatMap(({ ruleName, description, violatingResources = [] }) =>
      violatingResources.map(({ constructPath = '' }) => {
        return { rule: ruleName, resource: constructPath.split('/').at(-1) ?? '', description }
      }),
    )
  } finally {
    rmSync(directory, { recursive: true })
  }
}

const findings = parameterSets.flatMap(findingsOf)
const explained = exceptions.flatMap(({ rules, resources }) =>
  rules.flatMap((rule) => resources.map((resource) => `${rule} ${resource}`)),
)
const found = new Set(findings.map(({ rule, resource }) => `${rule} ${resource}`))
const unexplained = findings.filter(({ rule, resource }) => !explained.includes(`${rule} ${resource}`))
const unused = explained.filter((exception) => !found.has(exception))

for (const line of new Set(unexplained.map((it) => `${it.rule} ${it.resource}: ${it.description}`)))
  console.error(line)
for (const exception of unused) console.error(`${exception}: an exception that nothing needs; remove it.`)
if (unexplained.length > 0 || unused.length > 0) process.exitCode = 1
else
  console.log(
    `The template complies with cdk-nag's AwsSolutions rules, with ${exceptions.length} explained exceptions.`,
  )

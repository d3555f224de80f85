import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RegoEngine, TemplateFile } from '@aws/cloudformation-validate'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stackOf } from './stack.ts'
import { list, readTemplate, table, templatePath } from './template.ts'

describe("against AWS's own schemas of resources (@aws/cloudformation-validate)", () => {
  let engine: InstanceType<typeof RegoEngine>
  let folder: string
  beforeAll(() => {
    engine = new RegoEngine()
    folder = mkdtempSync(join(tmpdir(), 'imgpipe-template-'))
  })
  afterAll(() => {
    engine.free()
    rmSync(folder, { recursive: true })
  })

  /** Its complaints. Parameters that only AWS can fill in are given; that they are, is the one thing not to mind. */
  function complaints(path: string): string[] {
    const report = engine.validateStandard(new TemplateFile(path), {
      severityLevel: 'WARN',
      exclude: { ids: ['W9010'] },
      parameterOverrides: {
        ImageId: 'ami-0123456789abcdef0',
        ImageParameter: 'ami-0123456789abcdef0',
        VpcId: 'vpc-0123456789abcdef0',
        SubnetId: 'subnet-0123456789abcdef0',
      },
      pseudoParameterOverrides: { region: 'us-east-1' },
    })
    expect(report.status).toBe('OK')
    return report.diagnostics.map((it) => `${it.entity?.logicalId} ${it.propertyPath}: ${it.message}`)
  }

  test('every resource and property is right', () => {
    expect(complaints(templatePath)).toEqual([])
  })

  test.each([
    ['an unknown property', 'HttpTokens: required', 'HttpToken: required'],
    ['an unknown value', 'HttpTokens: required', 'HttpTokens: perhaps'],
    ['a wrong type', 'SqsManagedSseEnabled: true', 'SqsManagedSseEnabled: [1]'],
    ['a property left out', 'MaxSize: !Ref MaxReaders', 'DesiredCapacity: !Ref MaxReaders'],
    ['a slip far down', 'deadLetterTargetArn:', 'deadLetterArn:'],
    ['a reference to nothing', '!Ref DeadLetters', '!Ref DeadLetter'],
    ['an attribute that there is not', '!GetAtt Queue.Arn', '!GetAtt Queue.Address'],
  ])('%s would be seen', (_, right, wrong) => {
    const path = join(folder, 'wrong.yaml')
    const template = readFileSync(templatePath, 'utf8')
    expect(template).toContain(right)
    writeFileSync(path, template.replace(right, wrong))
    expect(complaints(path)).not.toEqual([])
  })
})

const plain = stackOf()
const full = stackOf({ MaxReaders: '3', VpcId: 'vpc-1', SubnetId: 'subnet-1', VolumeSnapshot: 'snap-1' })

function propertiesOf(stack: typeof plain, type: string) {
  return Object.values(stack.resources).flatMap((it) => (it.type === type ? [it.properties] : []))
}

test('the queue keeps messages 14 days and gives up on one only after very many deliveries', () => {
  const { Queue, DeadLetters } = plain.resources
  expect(Queue?.properties.MessageRetentionPeriod).toBe(14 * 86_400)
  expect(DeadLetters?.properties.MessageRetentionPeriod).toBe(14 * 86_400)
  expect(table(Queue?.properties.RedrivePolicy).maxReceiveCount).toBe(1000)
})

test('SSH, HTTP and HTTPS are open to the one address, and nothing to anybody else', () => {
  for (const stack of [plain, full]) {
    const ingress = propertiesOf(stack, 'AWS::EC2::SecurityGroup').flatMap((it) =>
      list(it.SecurityGroupIngress),
    )
    const rules = ingress.map(table).map((it) => [it.IpProtocol, it.FromPort, it.ToPort, it.CidrIp])
    expect(rules).toEqual([22, 80, 443].map((port) => ['tcp', port, port, '203.0.113.7/32']))
    expect(propertiesOf(stack, 'AWS::EC2::SecurityGroupIngress')).toEqual([])
  }
})

test('outwards only HTTPS is open where CloudFormation takes such a rule: together with a VPC', () => {
  expect(plain.resources.Firewall?.properties).not.toHaveProperty('SecurityGroupEgress')
  const egress = list(full.resources.Firewall?.properties.SecurityGroupEgress).map(table)
  expect(egress.map((it) => [it.IpProtocol, it.FromPort, it.ToPort])).toEqual([['tcp', 443, 443]])
})

test('every machine asks for IMDSv2, takes the one key pair, and keeps its disks encrypted', () => {
  const machines = propertiesOf(full, 'AWS::EC2::Instance')
  machines.push(...propertiesOf(full, 'AWS::EC2::LaunchTemplate').map((it) => table(it.LaunchTemplateData)))
  expect(machines).toHaveLength(3)
  for (const machine of machines) {
    expect(machine.MetadataOptions).toMatchObject({ HttpTokens: 'required', HttpPutResponseHopLimit: 1 })
    expect(machine.KeyName).toBe('vockey')
    expect(machine.SecurityGroupIds).toEqual(['Firewall.GroupId'])
    const disks = list(machine.BlockDeviceMappings).map(table)
    expect(disks.map((disk) => table(disk.Ebs).Encrypted)).toEqual([true])
  }
  expect(propertiesOf(full, 'AWS::EC2::Volume').map((volume) => volume.Encrypted)).toEqual([true])
})

test('the bucket for shared results is private and encrypted', () => {
  const [shared] = propertiesOf(full, 'AWS::S3::Bucket')
  expect(Object.values(table(shared?.PublicAccessBlockConfiguration))).toEqual([true, true, true, true])
  expect(JSON.stringify(shared?.BucketEncryption)).toContain('AES256')
  expect(propertiesOf(full, 'AWS::S3::BucketPolicy')).toEqual([])
})

test('further readers are off unless asked for', () => {
  const types = Object.values(plain.resources).map(({ type }) => type)
  expect(types.filter((type) => /AutoScaling|CloudWatch|LaunchTemplate|S3/.test(type))).toEqual([])
  expect(full.resources.FurtherReaders?.properties).toMatchObject({ MinSize: '0', MaxSize: '3' })
})

test('a bucket that is named is taken, and none is made', () => {
  const named = stackOf({ MaxReaders: '3', ResultsBucket: 'outcomes' })
  expect(propertiesOf(named, 'AWS::S3::Bucket')).toEqual([])
  expect(named.outputs).not.toHaveProperty('ResultsBucketName')
})

test('an update that gives the image back replaces neither instance', () => {
  const updated = stackOf({ ImageId: 'ami-00000000000000abc', MaxReaders: '1' })
  expect(updated.resources.Reader?.properties.ImageId).toBe('ami-00000000000000abc')
  expect(updated.outputs.ImageId).toBe('ami-00000000000000abc')
})

test.each([
  ['AllowedAddress', ['0.0.0.0/0', '203.0.113.0/24', '203.0.113.7', '256.1.1.1/32', '::/0', '']],
  ['Source', ["https://x/$(id)'.git", 'http://x/y.git', 'git@x:y.git', 's3://a/b c', '']],
  ['SourceRef', ["main'; id", '--upload-pack=x', '']],
  ['Bucket', ['s3://njit-cs-643', 'Njit', 'a/b', '']],
  ['Prefix', ['*', 'a"b', "a'b", 'a?b', 'a\nb']],
  ['InstanceProfile', ['arn:aws:iam::111122223333:instance-profile/Lab']],
  ['InstanceType', ['p5.48xlarge']],
  ['ResultsBucket', ['*', 'a']],
  ['MaxReaders', ['-1', '1000', 'many']],
])('%s: what would open more than meant, or break a script, is refused', (name, values) => {
  for (const value of values) expect(() => stackOf({ [name]: value }), value).toThrow(name)
})

test('the parameters that must be given have no default', () => {
  const declared = Object.entries(table(readTemplate().Parameters))
  const needed = declared.filter(([, rules]) => !('Default' in table(rules))).map(([name]) => name)
  expect(needed).toEqual(['KeyName', 'AllowedAddress', 'Source'])
})

import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RegoEngine, TemplateFile } from '@aws/cloudformation-validate'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stackOf } from './stack.ts'
import { list, readTemplate, table, templatePath, text } from './template.ts'

describe("against AWS's own schemas of resources (@aws/cloudformation-validate)", () => {
  let engine: InstanceType<typeof RegoEngine>
  let directory: string
  beforeAll(() => {
    engine = new RegoEngine()
    directory = mkdtempSync(join(tmpdir(), 'imgpipe-template-'))
  })
  afterAll(() => {
    engine.free()
    rmSync(directory, { recursive: true })
  })

  /** W9010 reports that parameters are overridden here: those whose empty default turns a property off need a value. */
  function findings(path: string): string[] {
    const report = engine.validateStandard(new TemplateFile(path), {
      severityLevel: 'WARN',
      exclude: { ids: ['W9010'] },
      parameterOverrides: {
        ImageId: 'ami-0123456789abcdef0',
        VpcId: 'vpc-0123456789abcdef0',
        SubnetId: 'subnet-0123456789abcdef0',
        AvailabilityZone: 'us-east-1a',
        AlarmTopic: 'arn:aws:sns:us-east-1:111122223333:operations',
        LogRetentionDays: '30',
      },
      pseudoParameterOverrides: { region: 'us-east-1' },
    })
    expect(report.status).toBe('OK')
    return report.diagnostics.map((it) => `${it.entity?.logicalId} ${it.propertyPath}: ${it.message}`)
  }

  test('every resource and property is valid', () => {
    expect(findings(templatePath)).toEqual([])
  })

  test.each([
    ['an unknown property', 'HttpTokens: required', 'HttpToken: required'],
    ['an unknown value', 'HttpTokens: required', 'HttpTokens: perhaps'],
    ['a wrong type', 'SqsManagedSseEnabled: true', 'SqsManagedSseEnabled: [1]'],
    ['a property left out', 'MaxSize: !Ref MaxReaders', 'DesiredCapacity: !Ref MaxReaders'],
    ['a slip far down', 'deadLetterTargetArn:', 'deadLetterArn:'],
    ['a rule about nothing', 'Assert: !Or', 'Assert: !Perhaps'],
    ['a reference to nothing', '!Ref DeadLetterQueue', '!Ref DeadLetterQueues'],
    ['an attribute that there is not', '!GetAtt Queue.Arn', '!GetAtt Queue.Address'],
  ])('%s would be reported', (_, right, wrong) => {
    const path = join(directory, 'wrong.yaml')
    const template = readFileSync(templatePath, 'utf8')
    expect(template).toContain(right)
    writeFileSync(path, template.replace(right, wrong))
    expect(findings(path)).not.toEqual([])
  })
})

const plain = stackOf()
const inVpc = { VpcId: 'vpc-1', SubnetId: 'subnet-1', AvailabilityZone: 'us-east-1c' }
const full = stackOf({ MaxReaders: '3', ...inVpc, VolumeSnapshot: 'snap-1', LogRetentionDays: '30' })

function propertiesOf(stack: typeof plain, type: string) {
  return Object.values(stack.resources).flatMap((it) => (it.type === type ? [it.properties] : []))
}

test("the template stays within CloudFormation's limits (51,200 bytes without an S3 bucket)", () => {
  expect(statSync(templatePath).size).toBeLessThan(51_200)
  const descriptions = Object.values(table(readTemplate().Parameters)).map((it) =>
    text(table(it).Description),
  )
  expect(descriptions.filter((description) => description.length > 4000)).toEqual([])
  expect(text(readTemplate().Description).length).toBeLessThanOrEqual(1024)
})

test('the queue keeps messages for 14 days and moves one to the dead-letter queue only after very many receives', () => {
  const { Queue, DeadLetterQueue } = plain.resources
  expect(Queue?.properties.MessageRetentionPeriod).toBe(14 * 86_400)
  expect(DeadLetterQueue?.properties.MessageRetentionPeriod).toBe(14 * 86_400)
  expect(table(Queue?.properties.RedrivePolicy).maxReceiveCount).toBe(1000)
})

test('the dead-letter queue accepts messages of this queue only, which it knows by name', () => {
  const { Queue, DeadLetterQueue } = plain.resources
  const name = text(Queue?.properties.QueueName)
  expect(name).toBe('imgpipe-51af3dc0-da77-11e4-872e-1234567db123')
  expect(name.length).toBeLessThanOrEqual(80)
  expect(DeadLetterQueue?.properties.RedriveAllowPolicy).toEqual({
    redrivePermission: 'byQueue',
    sourceQueueArns: [`arn:aws:sqs:us-east-1:111122223333:${name}`],
  })
})

test('queues and bucket reject requests without TLS', () => {
  const policies = ['AWS::SQS::QueuePolicy', 'AWS::S3::BucketPolicy'].flatMap((type) =>
    propertiesOf(full, type),
  )
  const statements = policies.flatMap((it) => list(table(it.PolicyDocument).Statement)).map(table)
  expect(statements.flatMap(({ Resource }) => Resource)).toEqual([
    'arn:aws:sqs:us-east-1:111122223333:imgpipe-Queue',
    'arn:aws:sqs:us-east-1:111122223333:imgpipe-DeadLetterQueue',
    'arn:aws:s3:::imgpipe-sharedresults-1',
    'arn:aws:s3:::imgpipe-sharedresults-1/*',
  ])
  for (const { Effect, Principal, Condition } of statements) {
    expect([Effect, Principal]).toEqual(['Deny', '*'])
    expect(Condition).toEqual({ Bool: { 'aws:SecureTransport': 'false' } })
  }
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

test('outbound only HTTPS is open where CloudFormation accepts such a rule: together with a VPC', () => {
  expect(plain.resources.SecurityGroup?.properties).not.toHaveProperty('SecurityGroupEgress')
  expect(propertiesOf(plain, 'AWS::EC2::SecurityGroupEgress')).toEqual([])
  const egress = list(full.resources.SecurityGroup?.properties.SecurityGroupEgress).map(table)
  egress.push(...propertiesOf(full, 'AWS::EC2::SecurityGroupEgress'))
  const rules = egress.map((it) => [it.IpProtocol, it.FromPort, it.ToPort, it.CidrIp ?? it.CidrIpv6])
  expect(rules).toEqual(['0.0.0.0/0', '::/0'].map((range) => ['tcp', 443, 443, range]))
})

test('every instance requires IMDSv2, has the one key pair and AMI, and encrypted disks', () => {
  const instances = propertiesOf(full, 'AWS::EC2::Instance')
  instances.push(...propertiesOf(full, 'AWS::EC2::LaunchTemplate').map((it) => table(it.LaunchTemplateData)))
  expect(instances).toHaveLength(3)
  for (const instance of instances) {
    expect(instance.MetadataOptions).toMatchObject({ HttpTokens: 'required', HttpPutResponseHopLimit: 1 })
    expect([instance.KeyName, instance.ImageId]).toEqual(['vockey', 'ami-0123456789abcdef0'])
    expect(instance.SecurityGroupIds).toEqual(['SecurityGroup.GroupId'])
    const disks = list(instance.BlockDeviceMappings).map(table)
    expect(disks.map((disk) => table(disk.Ebs).Encrypted)).toEqual([true])
  }
  expect(propertiesOf(full, 'AWS::EC2::Volume').map((volume) => volume.Encrypted)).toEqual([true])
})

describe('the results volume', () => {
  const declared = table(table(readTemplate().Resources).ResultsVolume)

  test('depends on no other resource, so that none of them replaces it', () => {
    const names = [...JSON.stringify(declared).matchAll(/"(?:Ref|Fn::GetAtt)":\[?"([\w:]+)"/g)].map(
      (it) => it[1],
    )
    const parameters = Object.keys(table(readTemplate().Parameters))
    expect(names.filter((name) => !parameters.includes(name ?? '') && !name?.startsWith('AWS::'))).toEqual([])
    expect(declared).toMatchObject({ DeletionPolicy: 'Snapshot', UpdateReplacePolicy: 'Snapshot' })
    expect(declared).not.toHaveProperty('DependsOn')
  })

  test('is in the zone of the instances', () => {
    for (const [stack, zone] of [[plain, 'us-east-1a'] as const, [full, 'us-east-1c'] as const]) {
      const { ResultsVolume, Reader, Detector } = stack.resources
      for (const resource of [ResultsVolume, Reader, Detector])
        expect(resource?.properties.AvailabilityZone).toBe(zone)
    }
  })

  test('is attached by B itself, where its role allows it', () => {
    expect(plain.resources.Reader?.properties).not.toHaveProperty('Volumes')
  })

  test('the stack policy in the docs protects it and the database of A', () => {
    const policy = JSON.parse(readFileSync(new URL('stack-policy.json', `file://${templatePath}`), 'utf8'))
    const denied = policy.Statement.find(({ Effect }: { Effect: string }) => Effect === 'Deny')
    expect(denied.Action).toEqual(['Update:Replace', 'Update:Delete'])
    for (const resource of denied.Resource)
      expect(plain.resources).toHaveProperty(resource.replace('LogicalResourceId/', ''))
  })
})

test('each host signals its installation by the URL of a handle, within a limit that its user data keeps', () => {
  for (const [condition, handle] of [
    ['DetectorInstalled', 'DetectorHandle'],
    ['ReaderInstalled', 'ReaderHandle'],
  ] as const) {
    const { Handle, Count, Timeout } = plain.resources[condition]?.properties ?? {}
    expect(Handle).toContain(`${handle}?`)
    expect(Count).toBe(1)
    expect(Number(Timeout)).toBeGreaterThan(25 * 60)
    expect(table(table(readTemplate().Resources)[condition])).not.toHaveProperty('CreationPolicy')
  }
})

test('alarms: dead letters, an old message, failed hosts and instances; with a topic they notify it', () => {
  const topic = 'arn:aws:sns:us-east-1:111122223333:operations'
  const alarmsOf = (stack: typeof plain) =>
    propertiesOf(stack, 'AWS::CloudWatch::Alarm').map((it) => [it.MetricName, it.AlarmActions ?? []])
  const actions = {
    recover: 'arn:aws:automate:us-east-1:ec2:recover',
    reboot: 'arn:aws:automate:us-east-1:ec2:reboot',
  }
  const expected = [
    ['ApproximateNumberOfMessagesVisible', []],
    ['ApproximateAgeOfOldestMessage', []],
    ['StatusCheckFailed_System', [actions.recover]],
    ['StatusCheckFailed_Instance', [actions.reboot]],
    ['StatusCheckFailed_System', [actions.recover]],
    ['StatusCheckFailed_Instance', [actions.reboot]],
  ] as const
  expect(alarmsOf(plain)).toEqual(expected)
  const lab = stackOf({ InstanceProfile: 'LabInstanceProfile' })
  expect(alarmsOf(lab)).toEqual(expected.map(([metric]) => [metric, []]))
  expect(alarmsOf(stackOf({ AlarmTopic: topic }))).toEqual(
    expected.map(([metric, own]) => [metric, [...own, topic]]),
  )
})

test('logs are kept on the instances unless a retention is given, and survive a rollback', () => {
  expect(propertiesOf(plain, 'AWS::Logs::LogGroup')).toEqual([])
  expect(propertiesOf(full, 'AWS::Logs::LogGroup')).toEqual([{ RetentionInDays: '30' }])
  expect(table(table(readTemplate().Resources).Logs).DeletionPolicy).toBe('Retain')
  expect(full.outputs.LogGroupName).toBe('imgpipe-Logs-1')
})

test('the bucket for shared results is private and encrypted', () => {
  const [shared] = propertiesOf(full, 'AWS::S3::Bucket')
  expect(Object.values(table(shared?.PublicAccessBlockConfiguration))).toEqual([true, true, true, true])
  expect(JSON.stringify(shared?.BucketEncryption)).toContain('AES256')
})

test('additional readers are off by default', () => {
  const types = Object.values(plain.resources).map(({ type }) => type)
  expect(types.filter((type) => /AutoScaling|LaunchTemplate|S3/.test(type))).toEqual([])
  expect(full.resources.AdditionalReaders?.properties).toMatchObject({ MinSize: '0', MaxSize: '3' })
})

test('an existing bucket is used, and none is created', () => {
  const named = stackOf({ MaxReaders: '3', ResultsBucket: 'outcomes' })
  expect(propertiesOf(named, 'AWS::S3::Bucket')).toEqual([])
  expect(named.outputs).not.toHaveProperty('ResultsBucketName')
})

test('the outputs name the instances', () => {
  expect(plain.outputs).toMatchObject({ DetectorInstanceId: 'Detector', ReaderInstanceId: 'Reader' })
})

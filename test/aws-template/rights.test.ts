import { describe, expect, test } from 'vitest'
import { allows, statementsOf } from './iam.ts'
import { stackOf } from './stack.ts'

const bucket = 'arn:aws:s3:::njit-cs-643'
const otherBucket = 'arn:aws:s3:::somebody-elses'
const queue = 'arn:aws:sqs:us-east-1:111122223333:imgpipe-Queue'
const deadLetterQueue = 'arn:aws:sqs:us-east-1:111122223333:imgpipe-DeadLetterQueue'
const otherQueue = 'arn:aws:sqs:us-east-1:111122223333:payments'

/** action, resource, whether A may, whether B may */
const permissions: [string, string, boolean, boolean][] = [
  ['s3:ListBucket', bucket, true, true],
  ['s3:ListBucket', otherBucket, false, false],
  ['s3:GetObject', `${bucket}/2.jpg`, true, true],
  ['s3:GetObject', `${bucket}/a directory/3.jpg`, true, true],
  ['s3:GetObject', `${otherBucket}/2.jpg`, false, false],
  ['s3:GetObject', `${bucket}-of-another/2.jpg`, false, false],
  ['s3:GetObjectAcl', `${bucket}/2.jpg`, false, false],
  ['s3:PutObject', `${bucket}/2.jpg`, false, false],
  ['s3:DeleteObject', `${bucket}/2.jpg`, false, false],
  ['s3:PutBucketPolicy', bucket, false, false],
  ['s3:ListAllMyBuckets', '*', false, false],
  ['rekognition:DetectLabels', '*', true, false],
  ['rekognition:DetectText', '*', false, true],
  ['rekognition:DetectFaces', '*', false, false],
  ['rekognition:DeleteCollection', '*', false, false],
  ['sqs:SendMessage', queue, true, false],
  ['sqs:GetQueueUrl', queue, true, true],
  ['sqs:GetQueueAttributes', queue, true, true],
  ['sqs:ReceiveMessage', queue, false, true],
  ['sqs:DeleteMessage', queue, false, true],
  ['sqs:ChangeMessageVisibility', queue, false, true],
  ['sqs:PurgeQueue', queue, false, false],
  ['sqs:DeleteQueue', queue, false, false],
  ['sqs:SetQueueAttributes', queue, false, false],
  ['sqs:SendMessage', otherQueue, false, false],
  ['sqs:ReceiveMessage', otherQueue, false, false],
  ['sqs:ReceiveMessage', deadLetterQueue, false, false],
  ['iam:PassRole', 'arn:aws:iam::111122223333:role/Admin', false, false],
  ['sts:AssumeRole', 'arn:aws:iam::111122223333:role/Admin', false, false],
  ['ec2:RunInstances', '*', false, false],
  ['ec2:DetachVolume', 'arn:aws:ec2:us-east-1:111122223333:volume/vol-0123456789abcdef0', false, false],
  ['ssmmessages:OpenDataChannel', '*', true, true],
  ['ssm:GetParameter', 'arn:aws:ssm:us-east-1:111122223333:parameter/password', false, false],
  ['ssm:SendCommand', '*', false, false],
  ['logs:PutLogEvents', 'arn:aws:logs:us-east-1:111122223333:log-group:payments:*', false, false],
]

const stack = stackOf()
const detector = statementsOf(stack, 'DetectorRole')
const reader = statementsOf(stack, 'ReaderRole')

test.each(permissions)('%s on %s: A %s, B %s', (action, resource, byDetector, byReader) => {
  expect(allows(detector, action, resource)).toBe(byDetector)
  expect(allows(reader, action, resource)).toBe(byReader)
})

test('a prefix limits what can be got, and leaves a missing key "not found"', () => {
  const limited = stackOf({ Prefix: 'cars/' })
  for (const statements of [statementsOf(limited, 'DetectorRole'), statementsOf(limited, 'ReaderRole')]) {
    expect(allows(statements, 's3:GetObject', `${bucket}/cars/2.jpg`)).toBe(true)
    expect(allows(statements, 's3:GetObject', `${bucket}/salaries.jpg`)).toBe(false)
    expect(allows(statements, 's3:ListBucket', bucket)).toBe(true)
  }
})

describe('a bucket for shared results', () => {
  const shared = 'arn:aws:s3:::outcomes'
  const sharing = stackOf({ ResultsBucket: 'outcomes', MaxReaders: '3' })

  test.each([
    ['s3:ListBucket', shared, true],
    ['s3:GetObject', `${shared}/runs/20261122T174500Z-3f9a/end.json`, true],
    ['s3:PutObject', `${shared}/runs/20261122T174500Z-3f9a/end.json`, true],
    ['s3:PutObject', `${shared}/finished/0000000000000001`, true],
    ['s3:GetObject', `${shared}/answers/0a1b2c.json`, true],
    ['s3:PutObject', `${shared}/answers/0a1b2c.json`, true],
    ['s3:PutObject', `${shared}/invoices/1.pdf`, false],
    ['s3:GetObject', `${shared}/invoices/1.pdf`, false],
    ['s3:DeleteObject', `${shared}/runs/20261122T174500Z-3f9a/end.json`, false],
    ['s3:PutObject', `${bucket}/2.jpg`, false],
  ])('%s on %s by a reader: %s', (action, resource, allowed) => {
    expect(allows(statementsOf(sharing, 'ReaderRole'), action, resource)).toBe(allowed)
    expect(allows(statementsOf(stackOf(), 'ReaderRole'), action, resource)).toBe(false)
  })

  test('is nothing to the detector', () => {
    expect(statementsOf(sharing, 'DetectorRole')).toEqual(detector)
  })
})

test('both may read the release archive in S3: that object and no other', () => {
  const fromS3 = stackOf({ Archive: 's3://releases/imgpipe-1.0.0.tar.gz', Repository: '', Tag: '' })
  for (const statements of [statementsOf(fromS3, 'DetectorRole'), statementsOf(fromS3, 'ReaderRole')]) {
    expect(allows(statements, 's3:GetObject', 'arn:aws:s3:::releases/imgpipe-1.0.0.tar.gz')).toBe(true)
    expect(allows(statements, 's3:GetObject', 'arn:aws:s3:::releases/imgpipe-1.0.0.tar.gz.key')).toBe(false)
  }
})

describe('the results volume', () => {
  const arn = 'arn:aws:ec2:us-east-1:111122223333'
  const tags = (id: string, name: string) => ({
    'aws:ResourceTag/aws:cloudformation:stack-id': id,
    'aws:ResourceTag/aws:cloudformation:logical-id': name,
  })
  const id =
    'arn:aws:cloudformation:us-east-1:111122223333:stack/imgpipe/51af3dc0-da77-11e4-872e-1234567db123'

  test.each([
    ['this volume', `${arn}:volume/vol-0123456789abcdef0`, {}, true],
    ['another volume', `${arn}:volume/vol-1`, {}, false],
    ['B', `${arn}:instance/i-1`, tags(id, 'Reader'), true],
    ['A', `${arn}:instance/i-1`, tags(id, 'Detector'), false],
    ['an instance of another stack', `${arn}:instance/i-1`, tags(`${id}4`, 'Reader'), false],
    ['an instance without tags', `${arn}:instance/i-1`, {}, false],
  ])('B may attach %s: %4$s', (_, resource, context, allowed) => {
    expect(allows(reader, 'ec2:AttachVolume', resource, context)).toBe(allowed)
    expect(allows(detector, 'ec2:AttachVolume', resource, context)).toBe(false)
  })
})

test('Session Manager is off if the stack says so; logs may be written to the one log group', () => {
  const given = stackOf({ SessionManager: 'false', LogRetentionDays: '30' })
  for (const statements of [statementsOf(given, 'DetectorRole'), statementsOf(given, 'ReaderRole')]) {
    expect(allows(statements, 'ssmmessages:OpenDataChannel', '*')).toBe(false)
    const stream = 'arn:aws:logs:us-east-1:111122223333:log-group:imgpipe-Logs-1:log-stream:i-1/reader'
    expect(allows(statements, 'logs:PutLogEvents', stream)).toBe(true)
    expect(allows(statements, 'logs:DeleteLogGroup', stream)).toBe(false)
  }
})

test('"*" stands alone only for actions without resource-level permissions, and never in an action', () => {
  const most = stackOf({
    MaxReaders: '3',
    Archive: 's3://releases/imgpipe.tar.gz',
    Repository: '',
    Tag: '',
    Prefix: 'cars/',
    LogRetentionDays: '30',
  })
  const statements = [...statementsOf(most, 'DetectorRole'), ...statementsOf(most, 'ReaderRole')]
  expect(statements.flatMap(({ actions }) => actions).filter((action) => /[*?]/.test(action))).toEqual([])
  const wide = statements.filter(({ resources }) => resources.includes('*'))
  const sessions = ['CreateControlChannel', 'CreateDataChannel', 'OpenControlChannel', 'OpenDataChannel']
  expect(new Set(wide.flatMap(({ actions }) => actions))).toEqual(
    new Set([
      'rekognition:DetectLabels',
      'rekognition:DetectText',
      'ssm:UpdateInstanceInformation',
      ...sessions.map((action) => `ssmmessages:${action}`),
    ]),
  )
  const patterns = statements.flatMap(({ resources }) => resources).filter((name) => /[*?]/.test(name))
  const created = 'arn:aws:s3:::imgpipe-sharedresults-1'
  expect(new Set(patterns)).toEqual(
    new Set([
      '*',
      `${bucket}/cars/*`,
      ...['runs', 'finished', 'answers'].map((prefix) => `${created}/${prefix}/*`),
      'arn:aws:ec2:us-east-1:111122223333:instance/*',
      'arn:aws:logs:us-east-1:111122223333:log-group:imgpipe-Logs-1:*',
    ]),
  )
})

test('only EC2 can assume the roles', () => {
  for (const role of ['DetectorRole', 'ReaderRole']) {
    expect(stack.resources[role]?.properties.AssumeRolePolicyDocument).toEqual({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Principal: { Service: 'ec2.amazonaws.com' }, Action: 'sts:AssumeRole' }],
    })
  }
})

test('with an instance profile of the account (a learner lab) no roles are created', () => {
  const lab = stackOf({ InstanceProfile: 'LabInstanceProfile', MaxReaders: '3' })
  const types = Object.values(lab.resources).map(({ type }) => type)
  expect(types.filter((type) => type.startsWith('AWS::IAM::'))).toEqual([])
  expect(lab.resources.Detector?.properties.IamInstanceProfile).toBe('LabInstanceProfile')
  expect(lab.resources.Reader?.properties.IamInstanceProfile).toBe('LabInstanceProfile')
  expect(lab.resources.AdditionalReader?.properties.LaunchTemplateData).toMatchObject({
    IamInstanceProfile: { Name: 'LabInstanceProfile' },
  })
})

import { describe, expect, test } from 'vitest'
import { allows, statementsOf } from './iam.ts'
import { stackOf } from './stack.ts'

const bucket = 'arn:aws:s3:::njit-cs-643'
const otherBucket = 'arn:aws:s3:::somebody-elses'
const queue = 'arn:aws:sqs:us-east-1:111122223333:imgpipe-Queue'
const deadLetters = 'arn:aws:sqs:us-east-1:111122223333:imgpipe-DeadLetters'
const otherQueue = 'arn:aws:sqs:us-east-1:111122223333:payments'

/** action, resource, whether A may, whether B may */
const rights: [string, string, boolean, boolean][] = [
  ['s3:ListBucket', bucket, true, true],
  ['s3:ListBucket', otherBucket, false, false],
  ['s3:GetObject', `${bucket}/2.jpg`, true, true],
  ['s3:GetObject', `${bucket}/a folder/3.jpg`, true, true],
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
  ['sqs:ReceiveMessage', deadLetters, false, false],
  ['iam:PassRole', 'arn:aws:iam::111122223333:role/Admin', false, false],
  ['sts:AssumeRole', 'arn:aws:iam::111122223333:role/Admin', false, false],
  ['ec2:RunInstances', '*', false, false],
]

const stack = stackOf()
const detector = statementsOf(stack, 'DetectorRole')
const reader = statementsOf(stack, 'ReaderRole')

test.each(rights)('%s on %s: A %s, B %s', (action, resource, byDetector, byReader) => {
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

test('imgpipe itself in S3 may be got by both: that object and no other', () => {
  const fromS3 = stackOf({ Source: 's3://releases/imgpipe-1.0.0.tar.gz' })
  for (const statements of [statementsOf(fromS3, 'DetectorRole'), statementsOf(fromS3, 'ReaderRole')]) {
    expect(allows(statements, 's3:GetObject', 'arn:aws:s3:::releases/imgpipe-1.0.0.tar.gz')).toBe(true)
    expect(allows(statements, 's3:GetObject', 'arn:aws:s3:::releases/imgpipe-1.0.0.tar.gz.key')).toBe(false)
  }
})

test('"*" stands alone only beside the two actions of Rekognition, and never in an action', () => {
  const most = stackOf({ MaxReaders: '3', Source: 's3://releases/imgpipe.tar.gz', Prefix: 'cars/' })
  const statements = [...statementsOf(most, 'DetectorRole'), ...statementsOf(most, 'ReaderRole')]
  expect(statements.flatMap(({ actions }) => actions).filter((action) => /[*?]/.test(action))).toEqual([])
  const wide = statements.filter(({ resources }) => resources.includes('*'))
  expect(wide.flatMap(({ actions }) => actions)).toEqual([
    'rekognition:DetectLabels',
    'rekognition:DetectText',
  ])
  const patterns = statements.flatMap(({ resources }) => resources).filter((name) => /[*?]/.test(name))
  const made = 'arn:aws:s3:::imgpipe-sharedresults-1'
  expect(new Set(patterns)).toEqual(
    new Set(['*', `${bucket}/cars/*`, `${made}/runs/*`, `${made}/finished/*`, `${made}/answers/*`]),
  )
})

test('only EC2 takes on the roles', () => {
  for (const role of ['DetectorRole', 'ReaderRole']) {
    expect(stack.resources[role]?.properties.AssumeRolePolicyDocument).toEqual({
      Version: '2012-10-17',
      Statement: [{ Effect: 'Allow', Principal: { Service: 'ec2.amazonaws.com' }, Action: 'sts:AssumeRole' }],
    })
  }
})

test('with an instance profile of the account (a learner lab) no roles are made', () => {
  const lab = stackOf({ InstanceProfile: 'LabInstanceProfile', MaxReaders: '3' })
  const types = Object.values(lab.resources).map(({ type }) => type)
  expect(types.filter((type) => type.startsWith('AWS::IAM::'))).toEqual([])
  expect(lab.resources.Detector?.properties.IamInstanceProfile).toBe('LabInstanceProfile')
  expect(lab.resources.Reader?.properties.IamInstanceProfile).toBe('LabInstanceProfile')
  expect(lab.resources.FurtherReader?.properties.LaunchTemplateData).toMatchObject({
    IamInstanceProfile: { Name: 'LabInstanceProfile' },
  })
})

import { describe, expect, test } from 'vitest'
import { stackOf, usual } from './stack.ts'
import { readTemplate, table } from './template.ts'

/** What CloudFormation accepts and rejects before it creates anything. */
test('the parameters without a default are those that only the operator knows', () => {
  const declared = Object.entries(table(readTemplate().Parameters))
  const needed = declared.filter(([, rules]) => !('Default' in table(rules))).map(([name]) => name)
  expect(needed).toEqual(['KeyName', 'AllowedAddress', 'ImageId'])
  for (const name of needed) {
    const given: Record<string, string> = { ...usual }
    delete given[name]
    expect(() => stackOf({ ...given, [name]: undefined as never })).toThrow(name)
  }
})

test('nothing resolves to another value when the stack is updated: no "latest", and a fixed release', () => {
  const types = Object.values(table(readTemplate().Parameters)).map((it) => table(it).Type)
  expect(types.filter((type) => /SSM::Parameter/.test(String(type)))).toEqual([])
  expect(JSON.stringify(readTemplate())).not.toContain('resolve:ssm')
  expect(JSON.stringify(readTemplate())).not.toContain('latest')
})

test.each([
  ['AllowedAddress', ['0.0.0.0/0', '203.0.113.0/24', '203.0.113.7', '256.1.1.1/32', '::/0', '']],
  [
    'Archive',
    ['https://github.com/me/imgpipe', 'https://x/y.zip', 'http://x/y.tgz', 's3://a/b.zip', 's3://a/b c.tgz'],
  ],
  [
    'Archive',
    ["https://x/$(id)'.tgz", "s3://a/';id;'.tgz", 'git@x:y.git', 's3://Bucket/b.tgz', 'ftp://x/y.tar.gz'],
  ],
  ['Repository', ['https://github.com/me/imgpipe', "https://x/$(id)'.git", 'http://x/y.git', 'git@x:y.git']],
  ['Tag', ['main', "v1'; id", '--upload-pack=x', 'latest']],
  ['Bucket', ['s3://njit-cs-643', 'Njit', 'a/b', '']],
  ['Prefix', ['*', 'a"b', "a'b", 'a?b', 'a\nb']],
  ['InstanceProfile', ['arn:aws:iam::111122223333:instance-profile/Lab']],
  ['InstanceType', ['p5.48xlarge']],
  ['AvailabilityZone', ['us-east-1', 'a', "us-east-1a'"]],
  ['AlarmTopic', ['operations', 'arn:aws:sqs:us-east-1:111122223333:x', 'me@example.com']],
  ['LogRetentionDays', ['2', '-1', 'forever']],
  ['RequireChecks', ['yes', '']],
  ['ResultsBucket', ['*', 'a']],
  ['MaxReaders', ['-1', '1000', 'many']],
  ['VolumeSize', ['0', '16385']],
])('%s rejects what is not meant, or would break a script: %s', (name, values) => {
  for (const value of values) expect(() => stackOf({ [name]: value }), value).toThrow(name)
})

test.each([
  { Archive: 'https://example.com/releases/imgpipe-1.0.0-linux-x64.tar.gz' },
  { Archive: 'https://example.com/imgpipe.tgz?X-Amz-Signature=ab%2Fc&X-Amz-Expires=60' },
  { Archive: 's3://my.releases/imgpipe/imgpipe-1.0.0-linux-arm64.tar.gz' },
  { Repository: 'https://git.example.com:8443/team/imgpipe.git', Tag: '1.0.0-rc.1' },
])('a source is accepted: %o', (given) => {
  expect(() => stackOf({ Repository: '', Tag: '', ...given })).not.toThrow()
})

test('arm64 instances are offered beside x86_64', () => {
  for (const InstanceType of ['t3.micro', 't4g.micro', 'c7g.large']) stackOf({ InstanceType })
})

describe('parameters that belong together', () => {
  test.each([
    [{ Repository: '', Tag: '' }, 'Specify either Archive, or Repository and Tag.'],
    [{ Archive: 's3://releases/imgpipe.tgz' }, 'Specify either Archive, or Repository and Tag.'],
    [{ Tag: '' }, 'Specify Repository and Tag together'],
    [{ Archive: 's3://releases/imgpipe.tgz', Repository: '' }, 'Specify Repository and Tag together'],
    [{ VpcId: 'vpc-1' }, 'Specify both VpcId and SubnetId'],
    [{ SubnetId: 'subnet-1', AvailabilityZone: 'us-east-1b' }, 'Specify both VpcId and SubnetId'],
    [{ VpcId: 'vpc-1', SubnetId: 'subnet-1' }, 'Specify the AvailabilityZone of SubnetId as well'],
  ])('%o: %s', (given, description) => {
    expect(() => stackOf(given)).toThrow(description)
  })

  test.each([
    { AvailabilityZone: 'us-east-1b' },
    { VpcId: 'vpc-1', SubnetId: 'subnet-1', AvailabilityZone: 'us-east-1b' },
    { Archive: 's3://releases/imgpipe.tgz', Repository: '', Tag: '' },
  ])('%o is accepted', (given) => {
    expect(() => stackOf(given)).not.toThrow()
  })
})

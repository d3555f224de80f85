import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { CreateQueueCommand, SetQueueAttributesCommand } from '@aws-sdk/client-sqs'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { imgpipe } from '../commands/imgpipe.ts'
import type { FaultRule } from '../support/fault-proxy.ts'
import { TestCloud } from '../support/test-cloud.ts'

let cloud: TestCloud

beforeAll(async () => {
  cloud = await TestCloud.start()
  await cloud.put('cars/1.jpg', Buffer.from('picture'))
  await cloud.put('notes/read.me', Buffer.from('text'))
  await cloud.sqs.send(new CreateQueueCommand({ QueueName: 'cars-dlq' }))
  await setQueue(healthy)
})

afterAll(() => cloud.stop())

const healthy = {
  VisibilityTimeout: '30',
  MessageRetentionPeriod: '1209600',
  RedrivePolicy: redrivePolicy(100),
}

function redrivePolicy(maxReceiveCount: number): string {
  return JSON.stringify({
    deadLetterTargetArn: 'arn:aws:sqs:us-east-1:000000000000:cars-dlq',
    maxReceiveCount,
  })
}

async function setQueue(Attributes: Record<string, string>): Promise<void> {
  await cloud.sqs.send(new SetQueueAttributesCommand({ QueueUrl: cloud.queueUrl, Attributes }))
}

function doctor(environment: Record<string, string> = {}, words: string[] = [], preload?: string) {
  const all = { ...cloud.environment(join(cloud.folder, 'state')), ...environment }
  return imgpipe(['doctor', '--timeout', '5', ...words], all, preload)
}

/** The line of one subject, without its verdict's colour. */
function lineOf(lines: readonly string[], subject: string): string {
  return (
    lines.find((line) => line.slice(6).startsWith(subject)) ??
    `no line on ${subject} in:\n${lines.join('\n')}`
  )
}

describe('when all is right', () => {
  it('says so of each thing, and ends with 0', async () => {
    const { code, lines } = await doctor()
    expect(lines).toEqual([
      expect.stringMatching(/^ok {4}settings +bucket pictures, queue cars, region us-east-1$/),
      expect.stringMatching(/^ok {4}Node +version 2/),
      expect.stringMatching(/^ok {4}disk +.*state will be made, \d+ [MG]B are free$/),
      expect.stringMatching(/^ok {4}clock +agrees with that of S3 at http:\/\/127\.0\.0\.1:\d+$/),
      expect.stringMatching(/^ok {4}credentials +test…test from the environment, accepted$/),
      expect.stringMatching(/^ok {4}bucket +pictures: readable, 1 picture(, in us-east-1)?$/),
      expect.stringMatching(/^ok {4}queue +cars: standard, keeps messages for 14 days, 0 messages wait$/),
      expect.stringMatching(/^ok {4}dead letters +go to cars-dlq after 100 deliveries$/),
      expect.stringMatching(/^ok {4}DetectLabels +usable in us-east-1/),
      expect.stringMatching(/^ok {4}DetectText +usable in us-east-1/),
      ...lines.slice(10, -1),
      'All is right.',
    ])
    expect(code).toBe(0)
  })

  it.each([
    ['detector', 'DetectLabels', 'DetectText'],
    ['reader', 'DetectText', 'DetectLabels'],
  ])('looks at what a %s needs only', async (role, needed, other) => {
    const { text } = await doctor({}, ['--role', role])
    expect(text).toContain(needed)
    expect(text).not.toContain(other)
  })

  it('asks Rekognition for nothing that costs, and leaves the queue alone', async () => {
    const seen: string[] = []
    const end = cloud.proxy.onSeen(({ operation, status }) => seen.push(`${operation} ${status}`))
    await doctor()
    end()
    expect(seen.filter((call) => call.startsWith('Detect')).sort()).toEqual([
      'DetectLabels 400',
      'DetectText 400',
    ])
    expect(seen.filter((call) => /Receive|Send|Delete|Put|Create|Change|Set/.test(call))).toEqual([])
  })

  it('needs no name for a queue that is given by its URL', async () => {
    const { code, lines } = await doctor({ IMGPIPE_QUEUE: cloud.queueUrl })
    expect([code, lineOf(lines, 'queue')]).toEqual([0, expect.stringContaining('cars: standard')])
  })
})

/** What is wrong, by what it is produced with: the environment, or an answer of a service. */
const environments: [string, Record<string, string>, subject: string, said: RegExp, code: number][] = [
  ['a mistake in the settings', { IMGPIPE_MAX_ATTEMPTS: 'x' }, 'settings', /IMGPIPE_MAX_ATTEMPTS .* "x"/, 78],
  ['no such bucket', { IMGPIPE_BUCKET: 'nobody-has-it' }, 'bucket', /does not exist -> .*"bucket"/, 78],
  ['no pictures', { IMGPIPE_PREFIX: 'notes/' }, 'bucket', /"notes\/": holds no pictures -> .*"prefix"/, 78],
  ['no such queue', { IMGPIPE_QUEUE: 'nothing' }, 'queue', /does not exist -> .*imgpipe setup/, 78],
  ['no results bucket', { IMGPIPE_RESULTS_BUCKET: 'nobody' }, 'results', /-> make it.*"resultsBucket"/, 78],
  ['a file for a folder', { IMGPIPE_STATE_DIR: '/dev/null' }, 'disk', /not a folder -> set stateDir/, 74],
  ['no such disk', { IMGPIPE_STATE_DIR: '/proc/imgpipe' }, 'disk', /cannot be written to/, 74],
  [
    'no credentials',
    { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' },
    'credentials',
    /no AWS credentials -> .*~\/\.aws\/credentials/,
    77,
  ],
  [
    'credentials that end soon',
    { AWS_CREDENTIAL_EXPIRATION: new Date(Date.now() + 300_000).toISOString() },
    'credentials',
    /expire in \d minutes -> put new ones/,
    77,
  ],
  [
    'credentials of yesterday',
    { AWS_CREDENTIAL_EXPIRATION: new Date(Date.now() - 86_400_000).toISOString() },
    'credentials',
    /have expired -> put new ones/,
    77,
  ],
  ['no address', { AWS_ENDPOINT_URL: 'nowhere' }, 'queue', /not a URL -> correct AWS_ENDPOINT_URL/, 78],
  [
    'nobody at the address',
    { AWS_ENDPOINT_URL: 'http://127.0.0.1:9' },
    'bucket',
    /ECONNREFUSED.* -> .*AWS_ENDPOINT_URL/,
    69,
  ],
]

describe('what is wrong where it runs', () => {
  it.each(environments)('%s', async (_, environment, subject, said, exitCode) => {
    const { code, lines } = await doctor(environment)
    const line = lineOf(lines, subject)
    expect(line).toMatch(/^WRONG/)
    expect(line).toMatch(said)
    expect(code).toBe(exitCode)
  })

  it('a clock that is ten minutes fast', async () => {
    const preload = new URL('fast-clock.ts', import.meta.url).href
    const { code, lines } = await doctor({}, [], preload)
    expect(lineOf(lines, 'clock')).toMatch(/^WRONG clock +10 minutes ahead of that of S3 .*-> set it right/)
    expect(code).toBe(78)
  })

  it('leaves nothing on the disk', async () => {
    const stateDir = join(cloud.folder, 'looked-at')
    await mkdir(stateDir)
    await doctor({ IMGPIPE_STATE_DIR: stateDir })
    expect(await readdir(stateDir)).toEqual([])
  })

  it('session credentials in the shared file have an end that nobody knows', async () => {
    await mkdir(join(cloud.folder, '.aws'), { recursive: true })
    const file = join(cloud.folder, '.aws', 'credentials')
    await writeFile(
      file,
      '[default]\naws_access_key_id=AKIATEST\naws_secret_access_key=x\naws_session_token=y\n',
    )
    const { lines } = await doctor({ AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' })
    expect(lineOf(lines, 'credentials')).toMatch(/^ok .* from the shared credentials file, accepted; session/)
  })
})

const answers: [string, Omit<FaultRule, 'share'>, subject: string, said: RegExp, code: number][] = [
  [
    'expired credentials',
    { service: 'sqs', fault: { kind: 'refuse', refusal: 'expired' } },
    'credentials',
    /have expired .*-> put new ones/,
    77,
  ],
  [
    'no right to list',
    { operations: ['ListObjectsV2'], fault: { kind: 'refuse', refusal: 'denied' } },
    'bucket',
    /access is denied .*-> .*s3:ListBucket/,
    77,
  ],
  [
    'no right to get pictures',
    { operations: ['GetObject'], fault: { kind: 'refuse', refusal: 'denied' } },
    'bucket',
    /access is denied .*-> .*s3:GetObject/,
    77,
  ],
  [
    'no right to look at the queue',
    { operations: ['GetQueueAttributes'], fault: { kind: 'refuse', refusal: 'denied' } },
    'queue',
    /access is denied .*-> .*sqs:GetQueueAttributes/,
    77,
  ],
  ...(['DetectLabels', 'DetectText'] as const).map((operation): (typeof answers)[number] => [
    `no right to ${operation}`,
    { operations: [operation], fault: { kind: 'refuse', refusal: 'denied' } },
    operation,
    new RegExp(`access is denied .*-> .*rekognition:${operation}`),
    77,
  ]),
  [
    'Rekognition is down',
    { service: 'rekognition', fault: { kind: 'refuse', refusal: 'unavailable' } },
    'DetectLabels',
    /cannot be used .*-> /,
    69,
  ],
  [
    'Rekognition is silent',
    { service: 'rekognition', fault: { kind: 'stall' } },
    'DetectText',
    /no answer came in time/,
    69,
  ],
  [
    'SQS breaks connections',
    { service: 'sqs', fault: { kind: 'reset', when: 'before' } },
    'queue',
    /cannot be used/,
    69,
  ],
]

describe('what the services refuse', () => {
  it.each(answers)('%s', async (_, rule, subject, said, exitCode) => {
    onTestFinished(cloud.proxy.add({ ...rule, share: 1 }))
    const { code, lines } = await doctor()
    const line = lineOf(lines, subject)
    expect(line).toMatch(/^WRONG/)
    expect(line).toMatch(said)
    expect(code).toBe(exitCode)
  })

  it('takes throttling for a right to call', async () => {
    const refuse = { kind: 'refuse', refusal: 'throttled' } as const
    onTestFinished(cloud.proxy.add({ service: 'rekognition', share: 1, fault: refuse }))
    const { code, lines } = await doctor()
    expect([code, lineOf(lines, 'DetectText')]).toEqual([0, expect.stringMatching(/^ok .* heavy use/)])
  })

  it('ends when nobody ever answers', async () => {
    const silent = createServer(() => undefined)
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void silent.close())
    const address = silent.address()
    const port = typeof address === 'object' && address ? address.port : 0
    const { code, lines } = await doctor({ AWS_ENDPOINT_URL: `http://127.0.0.1:${port}` }, ['--timeout', '1'])
    expect(lineOf(lines, 'clock')).toMatch(/^- .*no answer came in time/)
    expect(lineOf(lines, 'bucket')).toMatch(/^WRONG .*no answer came in time/)
    expect(code).toBe(69)
  })
})

const queues: [string, Record<string, string>, subject: string, said: RegExp][] = [
  [
    'short retention',
    { MessageRetentionPeriod: '86400' },
    'queue',
    /only 1 day -> .*MessageRetentionPeriod=1209600/,
  ],
  ['no time to read', { VisibilityTimeout: '2' }, 'queue', /for only 2 s -> .*VisibilityTimeout=30/],
  [
    'few deliveries',
    { RedrivePolicy: redrivePolicy(3) },
    'dead letters',
    /only 3 deliveries.* -> .*maxReceiveCount to 100/,
  ],
  [
    'no dead-letter queue',
    { RedrivePolicy: '' },
    'dead letters',
    /no dead-letter queue.* -> .*imgpipe setup/,
  ],
]

describe('a queue that is not as it should be', () => {
  it.each(queues)('%s', async (_, attributes, subject, said) => {
    await setQueue({ ...healthy, ...attributes })
    onTestFinished(() => setQueue(healthy))
    const { code, lines } = await doctor({}, ['--role', 'reader'])
    const line = lineOf(lines, subject)
    expect(line).toMatch(/^WRONG/)
    expect(line).toMatch(said)
    expect(code).toBe(78)
  })
})

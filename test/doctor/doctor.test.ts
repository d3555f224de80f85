import { mkdir, readdir } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { CreateQueueCommand, SetQueueAttributesCommand } from '@aws-sdk/client-sqs'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { imgpipe } from '../commands/imgpipe.ts'
import { ReaderState, runId } from '../status/state-fixture.ts'
import type { FaultRule } from '../support/fault-proxy.ts'
import { TestCloud } from '../support/test-cloud.ts'

let cloud: TestCloud

beforeAll(async () => {
  cloud = await TestCloud.start()
  await cloud.put('cars/1.jpg', Buffer.from('image'))
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
  const all = { ...cloud.environment(join(cloud.directory, 'state')), ...environment }
  return imgpipe(['doctor', '--timeout', '5', ...words], all, preload)
}

/** The line of one subject, without its verdict's color. */
function lineOf(lines: readonly string[], subject: string): string {
  return (
    lines.find((line) => line.slice(5).startsWith(subject)) ??
    `no line on ${subject} in:\n${lines.join('\n')}`
  )
}

describe('when all is well', () => {
  it('says so about each thing, and ends with 0', async () => {
    const { code, lines } = await doctor()
    expect(lines).toEqual([
      expect.stringMatching(/^ok {3}settings +bucket images, queue cars, region us-east-1$/),
      expect.stringMatching(/^ok {3}Node +version 2/),
      expect.stringMatching(/^ok {3}state dir +.*state will be created, \d+ [MG]B free$/),
      expect.stringMatching(/^ok {3}databases +none yet/),
      expect.stringMatching(/^ok {3}endpoint +S3 answers at http:\/\/127\.0\.0\.1:\d+$/),
      expect.stringMatching(/^ok {3}clock +agrees with that of S3 at http:\/\/127\.0\.0\.1:\d+$/),
      expect.stringMatching(/^ok {3}credentials +test from the environment, accepted$/),
      expect.stringMatching(/^ok {3}bucket +images: readable, 1 image(, in us-east-1)?$/),
      expect.stringMatching(
        /^ok {3}queue +cars: standard, retains messages for 14 days, 0 messages available, 0 in flight$/,
      ),
      expect.stringMatching(/^ok {3}dead letters +move to cars-dlq after 100 receives$/),
      expect.stringMatching(
        /^ok {3}DetectLabels +available in us-east-1 \(tested with an invalid image; not billed\)$/,
      ),
      expect.stringMatching(/^ok {3}DetectText +available in us-east-1/),
      expect.stringMatching(/^ok {3}runs +none is waiting$/),
      ...lines.slice(13, -1),
      expect.stringMatching(/^All checks passed\./),
    ])
    expect(code).toBe(0)
  })

  it.each([
    ['detector', 'DetectLabels', 'DetectText'],
    ['reader', 'DetectText', 'DetectLabels'],
  ])('checks what a %s needs only', async (role, needed, other) => {
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

  it('leaves nothing on the disk', async () => {
    const stateDir = join(cloud.directory, 'checked')
    await mkdir(stateDir)
    await doctor({ IMGPIPE_STATE_DIR: stateDir })
    expect(await readdir(stateDir)).toEqual([])
  })
})

/** What is wrong, by what it is produced with: the environment, or an answer of a service. */
const environments: [string, Record<string, string>, subject: string, found: RegExp, code: number][] = [
  [
    'a mistake in the settings',
    { IMGPIPE_MAX_ATTEMPTS: 'x' },
    'settings',
    /IMGPIPE_MAX_ATTEMPTS .* "x"$/,
    78,
  ],
  ['a misspelt variable', { IMGPIPE_BUKCET: 'x' }, 'settings', /did you mean IMGPIPE_BUCKET\?$/, 78],
  ['no such bucket', { IMGPIPE_BUCKET: 'nobody-has-it' }, 'bucket', /does not exist .*-> .*"bucket"/, 78],
  [
    'no such results bucket',
    { IMGPIPE_RESULTS_BUCKET: 'nobody' },
    'results bucket',
    /does not exist .*-> create it.*"resultsBucket"/,
    78,
  ],
  ['no such queue', { IMGPIPE_QUEUE: 'nothing' }, 'queue', /does not exist .*-> .*imgpipe setup/, 78],
  [
    'a file for a directory',
    { IMGPIPE_STATE_DIR: '/dev/null' },
    'state dir',
    /not a directory -> set "stateDir"/,
    74,
  ],
  ['no such disk', { IMGPIPE_STATE_DIR: '/proc/imgpipe' }, 'state dir', /cannot be written/, 74],
  [
    'no credentials',
    { AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' },
    'credentials',
    /no AWS credentials: .* -> put them into .*\/\.aws\/credentials/,
    77,
  ],
  [
    'an address without a scheme',
    { AWS_ENDPOINT_URL: 'localhost:4566' },
    'endpoint',
    /AWS_ENDPOINT_URL is "localhost:4566".* -> set it to http:\/\/localhost:4566/,
    78,
  ],
  [
    'an address that is none',
    { AWS_ENDPOINT_URL_SQS: 'ftp://nowhere' },
    'endpoint',
    /AWS_ENDPOINT_URL_SQS is "ftp:\/\/nowhere".* -> set it to an address such as http:/,
    78,
  ],
  [
    'nobody at the address',
    { AWS_ENDPOINT_URL: 'http://127.0.0.1:9' },
    'endpoint',
    /http:\/\/127\.0\.0\.1:9: the connection was refused .* -> .*AWS_ENDPOINT_URL/,
    69,
  ],
]

describe('what is wrong on the host', () => {
  it.each(environments)('%s', async (_, environment, subject, found, exitCode) => {
    const { code, lines } = await doctor(environment)
    const line = lineOf(lines, subject)
    expect(line).toMatch(/^FAIL/)
    expect(line).toMatch(found)
    expect(code).toBe(exitCode)
  })

  it('https where the service has no TLS', async () => {
    const AWS_ENDPOINT_URL = cloud.proxy.url.replace('http:', 'https:')
    const { code, lines } = await doctor({ AWS_ENDPOINT_URL })
    expect(lineOf(lines, 'endpoint')).toBe(
      `FAIL endpoint      ${AWS_ENDPOINT_URL} does not use TLS -> set AWS_ENDPOINT_URL to an address with http://`,
    )
    expect(code).toBe(78)
  })

  it('a clock that is ten minutes fast', async () => {
    const preload = new URL('fast-clock.ts', import.meta.url).href
    const { code, lines } = await doctor({}, [], preload)
    expect(lineOf(lines, 'clock')).toMatch(
      /^FAIL clock +10 minutes ahead of that of S3 .*-> set it, for example/,
    )
    expect(code).toBe(78)
  })

  it('a run that waits is a warning', async () => {
    const stateDir = join(cloud.directory, 'waiting')
    const reader = await ReaderState.open(stateDir)
    await reader.setEnd(await reader.begin(runId(1)), { count: 3 })
    const { code, lines } = await doctor({ IMGPIPE_STATE_DIR: stateDir })
    expect(lineOf(lines, 'runs')).toMatch(
      /^warn runs +run .*-aaaa waits for the reader.* -> start the reader$/,
    )
    expect([code, lines.at(-1)]).toEqual([0, expect.stringMatching(/^All checks passed\. 1 warning\./)])
  })
})

/** One cause, one line: the rest is skipped. */
describe('what is down for all services alike is reported once', () => {
  it.each<[string, FaultRule, RegExp]>([
    ['an HTML page', { fault: { kind: 'html', status: 200 } }, /the answer is not from AWS/],
    ['a reset', { fault: { kind: 'reset', when: 'before' } }, /the connection was reset/],
    ['an empty answer', { fault: { kind: 'empty', status: 502 } }, /^FAIL endpoint .*\(502/],
  ])('%s', async (_, rule, found) => {
    onTestFinished(cloud.proxy.add(rule))
    const { code, lines, text } = await doctor()
    expect(lineOf(lines, 'endpoint')).toMatch(found)
    expect(lineOf(lines, 'bucket')).toMatch(/^skip bucket +same failure as "endpoint": /)
    expect(text.match(/^FAIL/gm)).toHaveLength(1)
    expect([code, lines.at(-1)]).toEqual([69, expect.stringMatching(/^1 check failed\. \d+ skipped\.$/)])
  })

  it('silence, and it ends', async () => {
    const silent = createServer(() => undefined)
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void silent.close())
    const address = silent.address()
    const port = typeof address === 'object' && address ? address.port : 0
    const { code, lines } = await doctor({ AWS_ENDPOINT_URL: `http://127.0.0.1:${port}` }, ['--timeout', '1'])
    expect(lineOf(lines, 'endpoint')).toMatch(/^FAIL .*no answer in time/)
    expect(lineOf(lines, 'clock')).toMatch(/^skip /)
    expect(lineOf(lines, 'bucket')).toMatch(/^skip .*same failure as "endpoint"/)
    expect(code).toBe(69)
  })
})

const answers: [string, Omit<FaultRule, 'share'>, subject: string, found: RegExp, code: number][] = [
  [
    'expired credentials',
    { service: 'sqs', fault: { kind: 'refuse', refusal: 'expired' } },
    'credentials',
    /the credentials have expired .*-> export new ones/,
    77,
  ],
  [
    'no permission to list',
    { operations: ['ListObjectsV2'], fault: { kind: 'refuse', refusal: 'denied' } },
    'bucket',
    /access denied .*-> .*s3:ListBucket/,
    77,
  ],
  [
    'no permission to get images',
    { operations: ['GetObject'], fault: { kind: 'refuse', refusal: 'denied' } },
    'bucket',
    /access denied .*-> .*s3:GetObject/,
    77,
  ],
  [
    'no permission to find the queue',
    { operations: ['GetQueueUrl'], fault: { kind: 'refuse', refusal: 'denied' } },
    'queue',
    /access denied .*-> .*sqs:GetQueueUrl/,
    77,
  ],
  ...(['DetectLabels', 'DetectText'] as const).map((operation): (typeof answers)[number] => [
    `no permission to ${operation}`,
    { operations: [operation], fault: { kind: 'refuse', refusal: 'denied' } },
    operation,
    new RegExp(`access denied .*-> .*rekognition:${operation}`),
    77,
  ]),
  [
    'Rekognition is down',
    { service: 'rekognition', fault: { kind: 'refuse', refusal: 'unavailable' } },
    'DetectText',
    /503 ServiceUnavailable.*-> /,
    69,
  ],
  [
    'Rekognition is silent',
    { service: 'rekognition', fault: { kind: 'stall' } },
    'DetectLabels',
    /no answer in time/,
    69,
  ],
  [
    'SQS breaks connections',
    { service: 'sqs', fault: { kind: 'reset', when: 'before' } },
    'queue',
    /the connection was reset/,
    69,
  ],
]

describe('what the services refuse', () => {
  it.each(answers)('%s', async (_, rule, subject, found, exitCode) => {
    onTestFinished(cloud.proxy.add({ ...rule, share: 1 }))
    const { code, lines } = await doctor()
    const line = lineOf(lines, subject)
    expect(line).toMatch(/^FAIL/)
    expect(line).toMatch(found)
    expect(code).toBe(exitCode)
  })

  it('takes throttling for a permission to call', async () => {
    const refuse = { kind: 'refuse', refusal: 'throttled' } as const
    onTestFinished(cloud.proxy.add({ service: 'rekognition', share: 1, fault: refuse }))
    const { code, lines } = await doctor()
    expect([code, lineOf(lines, 'DetectText')]).toEqual([
      0,
      expect.stringMatching(/^ok .* throttled at present$/),
    ])
  })

  it('the attributes of the queue are more than the workers need', async () => {
    const refuse = { kind: 'refuse', refusal: 'denied' } as const
    onTestFinished(cloud.proxy.add({ operations: ['GetQueueAttributes'], share: 1, fault: refuse }))
    const { code, lines } = await doctor()
    expect([code, lineOf(lines, 'queue')]).toEqual([0, expect.stringMatching(/^warn .*GetQueueAttributes/)])
  })
})

const queues: [
  string,
  Record<string, string>,
  verdict: string,
  subject: string,
  found: RegExp,
  code: number,
][] = [
  [
    'short retention',
    { MessageRetentionPeriod: '86400' },
    'warn',
    'queue',
    /only 1 day -> imgpipe setup --repair$/,
    0,
  ],
  ['no time to read', { VisibilityTimeout: '2' }, 'warn', 'queue', /only 2 s -> imgpipe setup --repair$/, 0],
  [
    'few receives',
    { RedrivePolicy: redrivePolicy(3) },
    'FAIL',
    'dead letters',
    /only 3 receives.* -> imgpipe setup --repair$/,
    78,
  ],
  [
    "the console's default of receives",
    { RedrivePolicy: redrivePolicy(10) },
    'warn',
    'dead letters',
    /only 10 receives.* -> imgpipe setup --repair$/,
    0,
  ],
  [
    'no dead-letter queue',
    { RedrivePolicy: '' },
    'warn',
    'dead letters',
    /no dead-letter queue.* -> imgpipe setup --repair$/,
    0,
  ],
]

describe('a queue that is not as it should be', () => {
  it.each(queues)('%s', async (_, attributes, verdict, subject, found, exitCode) => {
    await setQueue({ ...healthy, ...attributes })
    onTestFinished(() => setQueue(healthy))
    const { code, lines } = await doctor({}, ['--role', 'reader'])
    const line = lineOf(lines, subject)
    expect(line.slice(0, 4)).toBe(verdict)
    expect(line).toMatch(found)
    expect(code).toBe(exitCode)
  })
})

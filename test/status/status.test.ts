import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it, onTestFinished } from 'vitest'
import { lockStateDir } from '../../src/daemon/instance-lock.ts'
import { readStatus } from '../../src/status/read-status.ts'
import { duration, runLines } from '../../src/status/status-text.ts'
import { imgpipe } from '../commands/imgpipe.ts'
import { simulatedPicture } from '../support/simulated-vision.ts'
import { TestCloud } from '../support/test-cloud.ts'
import { killLeftWorkers, WorkerProcess } from '../support/worker-process.ts'

afterAll(async () => expect(await killLeftWorkers()).toBe(0))

const run = '20261122T174500Z-3f9a'
const settings = {
  bucket: 'b',
  prefix: '',
  maxImages: 0,
  label: 'Car',
  minConfidence: 90,
  queue: 'q',
  region: 'us-east-1',
}

async function stateFolder(files: Record<string, object[]> = {}): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'imgpipe-status-'))
  onTestFinished(() => rm(folder, { recursive: true }))
  for (const [path, lines] of Object.entries(files)) {
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await writeFile(join(folder, path), lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
  }
  return folder
}

const begun = { run, settings, at: Date.now() }
const car = (n: number) => ({ car: n, key: `${n}.jpg`, confidence: 99, boxes: [] })
const through = (judged: number, at: number) => ({
  through: 'k',
  images: judged,
  skipped: 0,
  judged,
  cars: 10,
  failed: 1,
  total: 100,
  calls: { DetectLabels: judged },
  at,
})
const text = (n: number) => ({ outcome: 'text', n, key: `${n}.jpg`, bucket: 'b', lines: [], at: 1 })
const noText = (n: number) => ({ outcome: 'no-text', n, key: `${n}.jpg`, bucket: 'b', at: 1 })

describe('what a detector’s journal tells', () => {
  it('a run that was interrupted, with what came after the last checkpoint', async () => {
    const lines = [
      begun,
      through(40, Date.now()),
      { key: 'x', verdict: 'none' },
      car(11),
      { key: 'y', verdict: 'failed', reason: 'r' },
    ]
    const folder = await stateFolder({ [`detector/${run}.ndjson`]: lines })
    const [status] = await readStatus(folder, 5)
    expect(status).toMatchObject({
      run,
      reader: undefined,
      detector: { state: 'interrupted', judged: 43, total: 100, cars: 11, failed: 2, perSecond: 0 },
    })
    expect(status && runLines(status)).toContainEqual(
      '  detector  interrupted: 43 of 100 pictures, 11 cars, 2 failed',
    )
  })

  it('a run at work, with its rate and the time left', async () => {
    const now = Date.now()
    const lines = [begun, through(20, now - 8000), through(40, now - 4000), through(60, now)]
    const folder = await stateFolder({ [`detector/${run}.ndjson`]: lines })
    const lock = await lockStateDir(folder, 'detector')
    onTestFinished(() => void lock.close())
    const [status] = await readStatus(folder, 5)
    expect(status?.detector).toMatchObject({ state: 'working', perSecond: 5, secondsLeft: 8 })
    expect(status && runLines(status)).toContainEqual(expect.stringContaining(', 5.0/s, 8 s left'))
  })

  it('a run that was given up', async () => {
    const lines = [begun, { done: true, abandoned: true, at: 1 }]
    const folder = await stateFolder({ [`detector/${run}.ndjson`]: lines })
    expect((await readStatus(folder, 5))[0]?.detector?.state).toBe('given up')
  })

  it('a line that a power loss has torn is passed over', async () => {
    const folder = await stateFolder({ [`detector/${run}.ndjson`]: [begun, car(1)] })
    await writeFile(join(folder, `detector/${run}.ndjson`), '{"car":2,"ke', { flag: 'a' })
    expect((await readStatus(folder, 5))[0]?.detector).toMatchObject({ cars: 1, judged: 1 })
  })
})

describe('what a reader’s ledger tells', () => {
  it.each([
    [
      'before the end message',
      [text(1), noText(2)],
      { recorded: 2, count: undefined, texts: 1, state: 'interrupted' },
    ],
    [
      'after it',
      [text(1), { end: { count: 3, images: 9, failed: 0, abandoned: false }, at: 1, id: 'x' }],
      { recorded: 1, count: 3, state: 'interrupted' },
    ],
    [
      'given up',
      [text(1), { end: { count: 3, images: 9, failed: 0, abandoned: true }, at: 1, id: 'x' }],
      { state: 'given up' },
    ],
    [
      'from its last checkpoint on',
      [
        { calls: { DetectText: 40 }, recorded: 40, texts: 30, failures: 2, count: 50, at: 1 },
        text(41),
        noText(42),
      ],
      { recorded: 42, count: 50, texts: 31, failures: 2 },
    ],
  ])('%s', async (_, lines, expected) => {
    const folder = await stateFolder({ [`runs/${run}/ledger.ndjson`]: lines })
    expect((await readStatus(folder, 5))[0]).toMatchObject({ run, detector: undefined, reader: expected })
  })

  it('runs of other programs too, the newest first and no more than are asked for', async () => {
    const runs = [
      `foreign-20261122T180000Z-aaaa`,
      '20261122T170000Z-bbbb',
      '20261122T190000Z-cccc',
      'lost+found',
    ]
    const folder = await stateFolder(
      Object.fromEntries(runs.map((name) => [`runs/${name}/ledger.ndjson`, [text(1)]])),
    )
    const names = (await readStatus(folder, 5)).map(({ run }) => run)
    expect(names).toEqual(['20261122T190000Z-cccc', 'foreign-20261122T180000Z-aaaa', '20261122T170000Z-bbbb'])
    expect(await readStatus(folder, 1)).toHaveLength(1)
  })
})

it.each([
  [0, '0 s'],
  [89, '89 s'],
  [90, '2 min'],
  [5309, '88 min'],
  [5400, '1 h 30 min'],
  [86_400, '24 h 0 min'],
])('%d seconds are %s', (seconds, words) => {
  expect(duration(seconds)).toBe(words)
})

describe('imgpipe status', () => {
  it('tells a finished run to people and to programs', async () => {
    const cloud = await TestCloud.start()
    onTestFinished(() => cloud.stop())
    const objects = [{ name: 'Car', confidence: 99 }]
    await cloud.put('1.jpg', simulatedPicture({ id: '1', objects, lines: ['YHI9 OTZ'] }))
    await cloud.put('2.jpg', simulatedPicture({ id: '2', objects: [], lines: [] }))
    const environment = cloud.environment(cloud.readerState)
    const reader = WorkerProcess.start({ arguments: ['read', '--once'], environment })
    await WorkerProcess.start({ arguments: ['detect'], environment }).exited
    await reader.exited
    const { code, lines } = await imgpipe(['status'], environment)
    expect(code).toBe(0)
    expect(lines).toEqual([
      expect.stringMatching(/^run \d{8}T\d{6}Z-\w{4}, begun /),
      '  detector  done: 2 of 2 pictures, 1 car',
      '  reader    complete: 1 of 1 car read, 1 with text',
      expect.stringMatching(/^ {2}requests {2}3 Rekognition, \d+ SQS, \d+ S3: about \$0\.00\d\d on Amazon$/),
      expect.stringMatching(/^ {2}results {3}\/.*results\.txt$/),
    ])
    const json = JSON.parse((await imgpipe(['status', '--json'], environment)).text)
    expect(json).toMatchObject([
      { detector: { state: 'done', cars: 1 }, reader: { state: 'complete', texts: 1 } },
    ])
  })

  it.each(['SIGINT', 'SIGTERM'] as const)(
    '--watch goes on into a pipe until %s, and ends with 0',
    async (signal) => {
      const IMGPIPE_STATE_DIR = await stateFolder({ [`runs/${run}/ledger.ndjson`]: [text(1)] })
      const watch = WorkerProcess.start({
        arguments: ['status', '--watch', '--json'],
        environment: { IMGPIPE_STATE_DIR },
      })
      await watch.said(/^\[.*\]\n\[.*\]\n/)
      expect(await watch.signal(signal).exited).toEqual({ code: 0, signal: null })
      for (const line of watch.log.trimEnd().split('\n')) expect(JSON.parse(line)).toMatchObject([{ run }])
    },
  )

  it('says that there are no runs yet', async () => {
    const { code, text } = await imgpipe(['status'], { IMGPIPE_STATE_DIR: '/no/such/folder' })
    expect([code, text]).toEqual([0, 'No runs in /no/such/folder yet: "imgpipe detect" begins one.\n'])
    expect((await imgpipe(['status', '--json'], { IMGPIPE_STATE_DIR: '/no/such/folder' })).text).toBe('[]\n')
  })

  it('says that the state folder is a file', async () => {
    const { code, text } = await imgpipe(['status'], { IMGPIPE_STATE_DIR: '/dev/null' })
    expect([code, text]).toEqual([78, expect.stringContaining('The state folder /dev/null is a file')])
  })

  it('says that the state folder may not be read', async () => {
    const folder = await stateFolder()
    await chmod(folder, 0)
    onTestFinished(() => chmod(folder, 0o700))
    const { code, said } = await asNobody(['status'], folder)
    expect([code, said]).toEqual([
      77,
      expect.stringMatching(/cannot be read by the user \w+ \(EACCES\): run this as/),
    ])
  })
})

/** Root may read everything: as another user, then. */
async function asNobody(words: string[], stateDir: string) {
  const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url))
  const isRoot = process.getuid?.() === 0
  const child = spawn(process.execPath, [cli, ...words], {
    env: { IMGPIPE_STATE_DIR: stateDir },
    stdio: ['ignore', 'ignore', 'pipe'],
    ...(isRoot && { uid: 65_534, gid: 65_534 }),
  })
  let said = ''
  child.stderr.on('data', (chunk) => {
    said += chunk
  })
  const [code] = await once(child, 'close')
  return { code, said }
}

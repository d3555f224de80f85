import { copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, it, onTestFinished } from 'vitest'
import { isLocked, lockStateDirectory } from '../../src/state/lock.ts'
import { until } from '../support/test-cloud.ts'
import { killLeftWorkers, WorkerProcess } from '../support/worker-process.ts'
import { imgpipe } from './imgpipe.ts'

afterAll(async () => expect(await killLeftWorkers()).toBe(0))

const samples = fileURLToPath(new URL('../../samples/', import.meta.url))

/** Environment variables that a user may have set. */
const otherSettings = {
  IMGPIPE_BUCKET: 'Not A Bucket',
  IMGPIPE_STATE_DIR: '/dev/null',
  IMGPIPE_CONFIG: '/no/such/file.json',
  AWS_ENDPOINT_URL: 'http://127.0.0.1:9',
  AWS_PROFILE: 'nobody',
  AWS_REGION: 'nowhere',
}

async function directory(): Promise<string> {
  const created = await mkdtemp(join(tmpdir(), 'imgpipe-demo-'))
  onTestFinished(() => rm(created, { recursive: true, force: true }))
  return created
}

/** Two samples, and other files that a directory of photos may contain. */
async function photosDirectory(): Promise<string> {
  const photos = await directory()
  await copyFile(join(samples, '1.jpg'), join(photos, 'car and text.JPG'))
  await copyFile(join(samples, '5.jpg'), join(photos, '5.jpg'))
  await writeFile(join(photos, 'no image.png'), 'text')
  await writeFile(join(photos, 'notes.txt'), 'text')
  await writeFile(join(photos, '._hidden.jpg'), 'text')
  await mkdir(join(photos, 'album.jpg'))
  await symlink('/no/such/file', join(photos, 'gone.jpg'))
  return photos
}

describe('imgpipe demo, with the real models', { timeout: 240_000 }, () => {
  it('accepts a directory of images, whatever the environment and the other files in it', async () => {
    const [photos, out] = [await photosDirectory(), await directory()]
    const { code, lines } = await imgpipe(['demo', photos, '--out', out], otherSettings)
    expect(code).toBe(0)
    expect(lines).toContain(`Uploaded 3 images from ${photos}.`)
    expect(lines).toContain('Skipped 1 unreadable file, first: gone.jpg')
    const results = await readFile(join(out, 'state', 'results.txt'), 'utf8')
    expect(results).toMatch(/^car and text\.JPG: /)
    for (const line of results.trimEnd().split('\n')) expect(lines).toContain(`  ${line}`)
    expect(lines).toContainEqual(
      expect.stringMatching(/^3 images: \d with a car, 1 of them with text, 1 could not/),
    )
    expect(lines).toContainEqual(expect.stringMatching(/^ {2}no image\.png: \S/))
    expect(lines).toContainEqual(expect.stringContaining(`file://${out}/report/index.html`))
    expect(await readFile(join(out, 'report', 'index.html'), 'utf8')).toContain('car and text.JPG')
  })

  it.each([
    ['SIGINT', { code: 130, signal: null }],
    ['SIGTERM', { code: 130, signal: null }],
    ['SIGKILL', { code: null, signal: 'SIGKILL' }],
  ] as const)('leaves no worker behind after %s', async (signal, expected) => {
    const out = await directory()
    const state = join(out, 'state')
    const demo = WorkerProcess.start({ arguments: ['demo', '--out', out], environment: {} })
    await until(async () => isLocked(state, 'reader') === true && isLocked(state, 'detector') === true)
    expect(await demo.signal(signal).exited).toEqual(expected)
    if (signal !== 'SIGKILL')
      expect(demo.log).toMatch(/imgpipe: The demo was interrupted; all processes have been stopped\.\n$/)
    await until(async () => isLocked(state, 'reader') === false && isLocked(state, 'detector') === false)
  })
})

describe('imgpipe demo reports in one sentence', () => {
  async function refusal(photos: string, out: string) {
    const { code, lines } = await imgpipe(['demo', photos, '--out', out])
    expect(lines).toHaveLength(1)
    return [code, lines[0]]
  }

  it('that there are no images', async () => {
    const [empty, out] = [await directory(), await directory()]
    expect(await refusal(empty, out)).toEqual([
      64,
      expect.stringContaining(`No JPEG or PNG files in ${empty}`),
    ])
  })

  it.each([
    ['/no/such/directory', 'no such'],
    [join(samples, '1.jpg'), 'not a directory'],
  ])('that %s is not a directory', async (photos, said) => {
    expect(await refusal(photos, await directory())).toEqual([64, expect.stringContaining(said)])
  })

  it('that it cannot write', async () => {
    expect(await refusal(samples, '/proc/demo')).toEqual([74, expect.stringMatching(/\/proc\/demo .*--out/)])
  })

  it('that it does not delete a state directory that no demo created', async () => {
    const out = await directory()
    await mkdir(join(out, 'state'))
    await writeFile(join(out, 'state', 'thesis.txt'), 'years')
    expect(await refusal(samples, out)).toEqual([64, expect.stringContaining('was not created by a demo')])
    expect(await readFile(join(out, 'state', 'thesis.txt'), 'utf8')).toBe('years')
  })

  it.each(['reader', 'detector'] as const)('that another demo is running there: its %s', async (role) => {
    const out = await directory()
    const lock = lockStateDirectory(join(out, 'state'), role)
    onTestFinished(() => lock.release())
    expect(await refusal(samples, out)).toEqual([64, expect.stringContaining('Another demo is running')])
  })
})

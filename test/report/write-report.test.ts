import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { FetchPicture } from '../../src/report/picture-files.ts'
import { writeReport } from '../../src/report/write-report.ts'
import { failed, greyPicture, temporaryFolder, withoutText, withText, writeResults } from './run-fixture.ts'

const settings = { bucket: 'other', label: 'Car' }
const picture = await greyPicture(40, 30)

async function places() {
  const folder = await temporaryFolder()
  return { stateDir: join(folder, 'state'), out: join(folder, 'out') }
}

describe('the folder of a report', () => {
  test('holds index.html and the pictures, named by their numbers', async () => {
    const { stateDir, out } = await places()
    await writeResults(stateDir, [withText(1, ['A'], '../../../x.jpg'), withoutText(7, '/etc/passwd')])
    const report = await writeReport({ ...settings, stateDir, out, fetchPicture: async () => picture })
    expect(report).toMatchObject({ index: join(out, 'index.html'), pictures: 2, missing: 0 })
    expect((await readdir(out)).sort()).toEqual(['index.html', 'pictures'])
    expect((await readdir(join(out, 'pictures'))).sort()).toEqual(['1.jpg', '7.jpg'])
  })

  test("is asked for the run's bucket, the key and the ETag of what was analysed", async () => {
    const { stateDir, out } = await places()
    await writeResults(stateDir, [{ ...withoutText(1, 'ä b.jpg'), etag: '"e"' }])
    const asked: unknown[] = []
    const fetchPicture: FetchPicture = async (...call) => {
      asked.push(call)
      return picture
    }
    await writeReport({ ...settings, stateDir, out, fetchPicture })
    expect(asked).toEqual([['pictures', 'ä b.jpg', '"e"']])
  })

  test('takes the place of an earlier report, whose pictures go', async () => {
    const { stateDir, out } = await places()
    const request = { ...settings, stateDir, out, fetchPicture: async () => picture }
    await writeResults(stateDir, [withText(1, ['A']), withText(2, ['A'])])
    await writeReport(request)
    await writeResults(stateDir, [withText(3, ['A'])])
    await writeReport(request)
    expect(await readdir(join(out, 'pictures'))).toEqual(['3.jpg'])
  })

  test('is refused when it holds other things, and they stay', async () => {
    const { stateDir } = await places()
    const out = await temporaryFolder()
    await writeResults(stateDir, [withText(1, ['A'])])
    await writeFile(join(out, 'index.html'), 'my own page')
    const refused = writeReport({ ...settings, stateDir, out, fetchPicture: async () => picture })
    await expect(refused).rejects.toMatchObject({ exitCode: 64, message: expect.stringContaining(out) })
    expect(await readdir(out)).toEqual(['index.html'])
  })

  test('that cannot be made is an error with its remedy', async () => {
    const { stateDir } = await places()
    const file = join(await temporaryFolder(), 'file')
    await writeFile(file, '')
    await writeResults(stateDir, [withText(1, ['A'])])
    const out = join(file, 'out')
    const refused = writeReport({ ...settings, stateDir, out, fetchPicture: async () => picture })
    await expect(refused).rejects.toMatchObject({ exitCode: 74, message: expect.stringContaining('--out') })
  })
})

describe('pictures that cannot be shown', () => {
  test('leave a placeholder with the reason, and the report is written', async () => {
    const { stateDir, out } = await places()
    await writeResults(stateDir, [
      withText(1, ['A'], 'gone'),
      failed(2, 'broken', 'text'),
      withText(3, ['B']),
    ])
    const fetchPicture: FetchPicture = async (_, key) => {
      if (key === 'gone') throw Object.assign(new Error('no such key'), { name: 'NoSuchKey' })
      return key === 'text' ? new TextEncoder().encode('<svg onload="alert(1)"/>') : picture
    }
    const report = await writeReport({ ...settings, stateDir, out, fetchPicture })
    expect(report).toMatchObject({ pictures: 3, missing: 2 })
    expect(await readdir(join(out, 'pictures'))).toEqual(['3.jpg'])
    const page = await readFile(report.index, 'utf8')
    expect(page).toContain('It is no longer in the bucket')
    expect(page).toContain('It is neither a JPEG nor a PNG picture.')
  })

  test('from another bucket than the run is of are not even asked for', async () => {
    const { stateDir, out } = await places()
    await writeResults(stateDir, [failed(1, 'another bucket')])
    const file = join(stateDir, 'runs', '20261122T174500Z-3f9a', 'results.json')
    await writeFile(file, (await readFile(file, 'utf8')).replace('"n":1', '"n":1,"bucket":"theirs"'))
    const fetchPicture: FetchPicture = () => Promise.reject(new Error('asked'))
    const report = await writeReport({ ...settings, stateDir, out, fetchPicture })
    expect(report.firstMissing).toBe('It is in another bucket, theirs.')
  })

  test('when none can be reached, few are tried', async () => {
    const { stateDir, out } = await places()
    await writeResults(
      stateDir,
      Array.from({ length: 500 }, (_, i) => withoutText(i + 1)),
    )
    let tried = 0
    const fetchPicture: FetchPicture = async () => {
      tried += 1
      throw Object.assign(new Error('you may not'), { name: 'AccessDenied' })
    }
    const report = await writeReport({ ...settings, stateDir, out, fetchPicture })
    expect(report).toMatchObject({ missing: 500, firstMissing: expect.stringContaining('AccessDenied') })
    expect(tried).toBeLessThan(20)
  })
})

test('at most so many pictures are fetched at once, and all in the end', async () => {
  const { stateDir, out } = await places()
  await writeResults(
    stateDir,
    Array.from({ length: 60 }, (_, i) => withoutText(i + 1)),
  )
  let [now, most] = [0, 0]
  const fetchPicture: FetchPicture = async () => {
    now += 1
    most = Math.max(most, now)
    await new Promise(setImmediate)
    now -= 1
    return picture
  }
  expect(await writeReport({ ...settings, stateDir, out, fetchPicture })).toMatchObject({ missing: 0 })
  expect([most > 1, most <= 8]).toEqual([true, true])
  expect(await readdir(join(out, 'pictures'))).toHaveLength(60)
})

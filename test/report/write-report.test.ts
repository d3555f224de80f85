import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { Failure } from '../../src/flow/failure.ts'
import type { FetchImage } from '../../src/report/image-files.ts'
import { writeReport } from '../../src/report/write-report.ts'
import { failed, grayImage, temporaryDirectory, withoutText, withText, writeResults } from './run-fixture.ts'

const settings = { bucket: 'other', label: 'Car' }
const image = await grayImage(40, 30)

async function places() {
  const directory = await temporaryDirectory()
  return { stateDir: join(directory, 'state'), out: join(directory, 'out') }
}

describe('the directory of a report', () => {
  test('holds index.html and the images, named by their numbers', async () => {
    const { stateDir, out } = await places()
    await writeResults(stateDir, [withText(1, ['A'], '../../../x.jpg'), withoutText(7, '/etc/passwd')])
    const report = await writeReport({ ...settings, stateDir, out, fetchImage: async () => image })
    expect(report).toMatchObject({ index: join(out, 'index.html'), images: 2, missing: 0 })
    expect((await readdir(out)).sort()).toEqual(['images', 'index.html'])
    expect((await readdir(join(out, 'images'))).sort()).toEqual(['1.jpg', '7.jpg'])
  })

  test("is asked for the run's bucket, the key and the ETag of what was analysed", async () => {
    const { stateDir, out } = await places()
    await writeResults(stateDir, [{ ...withoutText(1, 'ä b.jpg'), etag: '"e"' }])
    const asked: unknown[] = []
    const fetchImage: FetchImage = async (...call) => {
      asked.push(call)
      return image
    }
    await writeReport({ ...settings, stateDir, out, fetchImage })
    expect(asked).toEqual([['images', 'ä b.jpg', '"e"']])
  })

  test('replaces an earlier report with its images', async () => {
    const { stateDir, out } = await places()
    const request = { ...settings, stateDir, out, fetchImage: async () => image }
    await writeResults(stateDir, [withText(1, ['A']), withText(2, ['A'])])
    await writeReport(request)
    await writeResults(stateDir, [withText(3, ['A'])])
    await writeReport(request)
    expect(await readdir(join(out, 'images'))).toEqual(['3.jpg'])
  })

  test('is refused when it contains something else, which stays', async () => {
    const { stateDir } = await places()
    const out = await temporaryDirectory()
    await writeResults(stateDir, [withText(1, ['A'])])
    await writeFile(join(out, 'index.html'), 'my own page')
    const refused = writeReport({ ...settings, stateDir, out, fetchImage: async () => image })
    await expect(refused).rejects.toMatchObject({ exitCode: 64, message: expect.stringContaining(out) })
    expect(await readdir(out)).toEqual(['index.html'])
  })

  test('that cannot be created is an error with its remedy', async () => {
    const { stateDir } = await places()
    const file = join(await temporaryDirectory(), 'file')
    await writeFile(file, '')
    await writeResults(stateDir, [withText(1, ['A'])])
    const out = join(file, 'out')
    const refused = writeReport({ ...settings, stateDir, out, fetchImage: async () => image })
    await expect(refused).rejects.toMatchObject({ exitCode: 74, message: expect.stringContaining('--out') })
  })
})

describe('images that cannot be shown', () => {
  test('leave a placeholder with the reason, and the report is written', async () => {
    const { stateDir, out } = await places()
    await writeResults(stateDir, [
      withText(1, ['A'], 'gone'),
      failed(2, 'broken', 'text'),
      withText(3, ['B']),
    ])
    const fetchImage: FetchImage = async (_, key) => {
      if (key === 'gone') throw new Failure('subject', 'GetObject', 'the object does not exist')
      return key === 'text' ? new TextEncoder().encode('<svg onload="alert(1)"/>') : image
    }
    const report = await writeReport({ ...settings, stateDir, out, fetchImage })
    expect(report).toMatchObject({ images: 3, missing: 2 })
    expect(await readdir(join(out, 'images'))).toEqual(['3.jpg'])
    const page = await readFile(report.index, 'utf8')
    expect(page).toContain('It could not be fetched: the object does not exist.')
    expect(page).toContain('Neither a JPEG nor a PNG image.')
  })

  test('when none can be reached, few are tried', async () => {
    const { stateDir, out } = await places()
    await writeResults(
      stateDir,
      Array.from({ length: 500 }, (_, i) => withoutText(i + 1)),
    )
    let tried = 0
    const fetchImage: FetchImage = async () => {
      tried += 1
      throw new Failure('denied', 'GetObject', 'GetObject: access denied (403 AccessDenied)')
    }
    const report = await writeReport({ ...settings, stateDir, out, fetchImage })
    expect(report).toMatchObject({ missing: 500, firstMissing: expect.stringContaining('AccessDenied') })
    expect(tried).toBeLessThan(20)
  })
})

test('at most so many images are fetched at once, and all in the end', async () => {
  const { stateDir, out } = await places()
  await writeResults(
    stateDir,
    Array.from({ length: 60 }, (_, i) => withoutText(i + 1)),
  )
  let [now, most] = [0, 0]
  const fetchImage: FetchImage = async () => {
    now += 1
    most = Math.max(most, now)
    await new Promise(setImmediate)
    now -= 1
    return image
  }
  expect(await writeReport({ ...settings, stateDir, out, fetchImage })).toMatchObject({ missing: 0 })
  expect([most > 1, most <= 8]).toEqual([true, true])
  expect(await readdir(join(out, 'images'))).toHaveLength(60)
})

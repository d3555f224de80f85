import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core'
import sharp from 'sharp'
import { afterAll, beforeAll, onTestFinished } from 'vitest'
import type { Outcome } from '../../src/protocol/outcomes.ts'
import { writeReport } from '../../src/report/write-report.ts'
import { noBrowser, type OpenPage, openFile, startBrowser } from './browser.ts'
import { failed, greyPicture, temporaryFolder, withoutText, withText, writeResults } from './run-fixture.ts'

let browser: Browser

/** Starts the browser before a file's tests and ends it after them; says so where there is none. */
export function useBrowser(): void {
  if (noBrowser !== undefined) console.warn(`The report's page is not tested here: ${noBrowser}`)
  beforeAll(async () => {
    if (noBrowser === undefined) browser = await startBrowser()
  })
  afterAll(() => browser?.close())
}

const pictures: Readonly<Record<string, Uint8Array>> = {
  'wide.jpg': await greyPicture(640, 360),
  'tall.jpg': await greyPicture(300, 500),
  'turned.jpg': await greyPicture(600, 300, 6),
}

export const example: readonly Outcome[] = [
  withText(1, ['YHI9 OTZ', 'TAXI'], 'wide.jpg'),
  withoutText(2, 'tall.jpg'),
  withText(3, ['KL 55'], 'turned.jpg'),
  failed(4, 'the picture was deleted', 'gone.jpg'),
]

/** A report of these outcomes, open in the browser until the test ends. */
export async function openOutcomes(
  outcomes: readonly Outcome[],
  options?: BrowserContextOptions,
): Promise<OpenPage> {
  const stateDir = await temporaryFolder()
  await writeResults(stateDir, outcomes)
  return await openRun(stateDir, options)
}

/** A report of the run in this folder, open in the browser until the test ends. */
export async function openRun(stateDir: string, options?: BrowserContextOptions): Promise<OpenPage> {
  const out = join(await temporaryFolder(), 'report')
  await mkdir(out)
  const { index } = await writeReport({
    ...{ stateDir, out, bucket: 'pictures', label: 'Car' },
    fetchPicture: async (_, key) => {
      const picture = pictures[key]
      if (picture === undefined) throw Object.assign(new Error('none'), { name: 'NoSuchKey' })
      return picture
    },
  })
  return await openIndex(index, options)
}

/** This very file, open in the browser until the test ends. */
export async function openIndex(index: string, options?: BrowserContextOptions): Promise<OpenPage> {
  const opened = await openFile(browser, index, options)
  onTestFinished(() => opened.page.context().close())
  return opened
}

/** What a person reads there, with simple spaces. */
export async function words(place: Locator): Promise<string> {
  return ((await place.textContent()) ?? '').replaceAll(/\s+/g, ' ').trim()
}

export type Colour = readonly [red: number, green: number, blue: number]

/** The colours of the window's nine pixels around a point: a line may lie between two of them. */
export async function coloursAround(page: Page, x: number, y: number): Promise<Colour[]> {
  const clip = { x: Math.floor(x) - 1, y: Math.floor(y) - 1, width: 3, height: 3 }
  const screenshot = sharp(await page.screenshot({ clip })).removeAlpha()
  const { data } = await screenshot.raw().toBuffer({ resolveWithObject: true })
  return Array.from({ length: 9 }, (_, i) => [data[i * 3] ?? 0, data[i * 3 + 1] ?? 0, data[i * 3 + 2] ?? 0])
}

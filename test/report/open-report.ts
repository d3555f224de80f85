import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core'
import sharp from 'sharp'
import { afterAll, beforeAll, onTestFinished } from 'vitest'
import { Failure } from '../../src/flow/failure.ts'
import type { Outcome } from '../../src/protocol/outcomes.ts'
import { writeReport } from '../../src/report/write-report.ts'
import { noBrowser, type OpenPage, openFile, startBrowser } from './browser.ts'
import { failed, grayImage, temporaryDirectory, withoutText, withText, writeResults } from './run-fixture.ts'

let browser: Browser

/** Starts the browser before a file's tests and closes it after them; warns where there is none. */
export function useBrowser(): void {
  if (noBrowser !== undefined) console.warn(`The report's page is not tested here: ${noBrowser}`)
  beforeAll(async () => {
    if (noBrowser === undefined) browser = await startBrowser()
  })
  afterAll(() => browser?.close())
}

const images: Readonly<Record<string, Uint8Array>> = {
  'wide.jpg': await grayImage(640, 360),
  'tall.jpg': await grayImage(300, 500),
  'turned.jpg': await grayImage(600, 300, 6),
}

export const example: readonly Outcome[] = [
  withText(1, ['YHI9 OTZ', 'TAXI'], 'wide.jpg'),
  withoutText(2, 'tall.jpg'),
  withText(3, ['KL 55'], 'turned.jpg'),
  failed(4, 'the object is gone', 'gone.jpg'),
]

/** A report of these outcomes, open in the browser until the test ends. */
export async function openOutcomes(
  outcomes: readonly Outcome[],
  options?: BrowserContextOptions,
): Promise<OpenPage> {
  const stateDir = await temporaryDirectory()
  await writeResults(stateDir, outcomes)
  return await openRun(stateDir, options)
}

/** A report of the run in this directory, open in the browser until the test ends. */
export async function openRun(stateDir: string, options?: BrowserContextOptions): Promise<OpenPage> {
  const out = join(await temporaryDirectory(), 'report')
  await mkdir(out)
  const { index } = await writeReport({
    ...{ stateDir, out, bucket: 'images', label: 'Car' },
    fetchImage: async (_, key) => {
      const image = images[key]
      if (image === undefined)
        throw new Failure('subject', 'GetObject', 'GetObject: the object does not exist')
      return image
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

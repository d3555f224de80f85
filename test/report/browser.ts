import { existsSync } from 'node:fs'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'

/** Debian's package `chromium`; CHROMIUM names another one. */
const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'

/** Why tests in a browser are skipped here; undefined where there is one. */
export const noBrowser = existsSync(executablePath)
  ? undefined
  : `no Chromium at ${executablePath}: install the package chromium, or set CHROMIUM`

export function startBrowser(): Promise<Browser> {
  return chromium.launch({
    executablePath,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })
}

/** A page from a file, and all that a script that should not run, or a mistake in ours, would leave behind. */
export interface OpenPage {
  readonly page: Page
  /** Dialogs, console messages, errors, and requests that went anywhere but to files. */
  readonly incidents: string[]
}

export async function openFile(
  browser: Browser,
  file: string,
  options: BrowserContextOptions = {},
): Promise<OpenPage> {
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, ...options })
  const page = await context.newPage()
  const incidents: string[] = []
  page.on('dialog', (dialog) => {
    incidents.push(`dialog: ${dialog.message()}`)
    void dialog.dismiss()
  })
  page.on('console', (message) => incidents.push(`console: ${message.text()}`))
  page.on('pageerror', (error) => incidents.push(`error: ${error.message}`))
  page.on('request', (request) => {
    if (!request.url().startsWith('file:')) incidents.push(`request: ${request.url()}`)
  })
  await page.goto(`file://${file}`)
  return { page, incidents }
}

export interface Rectangle {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

/** Where an element is in the window, in CSS pixels; a shape of an SVG without its stroke. */
export async function rectangleOf(page: Page, selector: string): Promise<Rectangle> {
  return await page
    .locator(selector)
    .first()
    .evaluate((element) => {
      if (!('getBBox' in element)) {
        const { x, y, width, height } = element.getBoundingClientRect()
        return { x, y, width, height }
      }
      const { a, d, e, f } = element.getScreenCTM()
      const { x, y, width, height } = element.getBBox()
      return { x: a * x + e, y: d * y + f, width: a * width, height: d * height }
    })
}

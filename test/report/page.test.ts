import type { Locator, Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { noBrowser } from './browser.ts'
import { coloursAround, example, openOutcomes, openRun, useBrowser, words } from './open-report.ts'
import { temporaryFolder, writeLedger } from './run-fixture.ts'

useBrowser()

describe.skipIf(noBrowser !== undefined)('the report in a browser', () => {
  test('tells the figures, and what has no picture has its reason', async () => {
    const { page, incidents } = await openOutcomes(example)
    expect(await words(page.locator('h1'))).toBe('Car and text in 2 of 9 pictures')
    expect(await words(page.locator('.division'))).toContain('1 Not analysed by the detector')
    expect(await words(page.locator('#p4'))).toContain('the picture was deleted')
    expect(await words(page.locator('#p4'))).toContain('It is no longer in the bucket')
    expect(await words(page.locator('#p1 .lines'))).toBe('YHI9 OTZ 99.1 %TAXI 69.1 %')
    expect(incidents).toEqual([])
  })

  test('filters by outcome and by words, together', async () => {
    const { page } = await openOutcomes(example)
    const shown = () => page.locator('.card:visible').evaluateAll((cards) => cards.map((card) => card.id))
    await filter(page, 'Car and text').click()
    expect(await shown()).toEqual(['p1', 'p3'])
    await page.getByRole('searchbox').fill('kl55')
    expect(await shown()).toEqual(['p3'])
    expect(await words(page.locator('#shown'))).toBe('1 of 4 shown')
    await filter(page, 'Failed').click()
    expect(await shown()).toEqual([])
    await page.getByRole('button', { name: 'Show all' }).click()
    expect(await shown()).toEqual(['p1', 'p2', 'p3', 'p4'])
    await page.getByRole('searchbox').fill('GONE')
    expect(await shown()).toEqual(['p4'])
  })

  test('is worked by keyboard alone', async () => {
    const { page, incidents } = await openOutcomes(example)
    const focused = () => page.evaluate('document.activeElement.closest("[id]")?.id')
    await page.keyboard.press('/')
    expect(await focused()).toBe('search')
    await page.keyboard.type('taxi/')
    expect(await page.getByRole('searchbox').inputValue()).toBe('taxi/')
    await page.keyboard.press('Escape')
    await page.keyboard.press('Escape')
    await page.locator('#p1 a').focus()
    await page.keyboard.press('Enter')
    const place = page.locator('#viewer-place')
    expect(await words(place)).toBe('1 / 3')
    await page.keyboard.press('ArrowLeft')
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('ArrowRight')
    expect(await words(place)).toBe('3 / 3')
    expect(await words(page.locator('#viewer-facts'))).toContain('KL 55')
    await page.keyboard.press('ArrowRight')
    await page.keyboard.press('Home')
    await page.keyboard.press('PageDown')
    expect(await words(place)).toBe('2 / 3')
    await page.keyboard.press('Escape')
    expect(await page.locator('#viewer').isVisible()).toBe(false)
    // The browser first gives the focus back to where the large view was opened from.
    await expect.poll(focused).toBe('p2')
    expect(incidents).toEqual([])
  })

  test('shows where the focus is', async () => {
    const { page } = await openOutcomes(example)
    const marked = `[document.activeElement, document.activeElement.nextElementSibling]
      .some((element) => element && getComputedStyle(element).outlineStyle === 'solid')`
    // The link to the pictures, two plots, filters, search, boxes, three pictures, two tables.
    for (let stop = 0; stop < 11; stop += 1) {
      await page.keyboard.press('Tab')
      expect([await page.evaluate('document.activeElement.outerHTML'), await page.evaluate(marked)]).toEqual([
        expect.not.stringMatching(/^<body/),
        true,
      ])
    }
  })

  test('the large view turns over what the filters show', async () => {
    const { page } = await openOutcomes(example)
    await filter(page, 'Car and text').click()
    await page.locator('#p1 a').click()
    await page.getByRole('button', { name: 'Next picture' }).click()
    expect(await words(page.locator('#viewer-place'))).toBe('2 / 2')
    expect(await words(page.locator('#viewer-key'))).toBe('turned.jpg')
  })

  test('a swipe turns over', async () => {
    const { page } = await openOutcomes(example, {
      viewport: { width: 390, height: 844 },
      hasTouch: true,
      isMobile: true,
    })
    await page.locator('#p1 a').tap()
    const finger = await page.context().newCDPSession(page)
    const touch = (type: string, x?: number) =>
      finger.send('Input.dispatchTouchEvent', {
        type: type as 'touchStart',
        touchPoints: x === undefined ? [] : [{ x, y: 400 }],
      })
    await touch('touchStart', 300)
    for (const x of [250, 200, 150]) await touch('touchMove', x)
    await touch('touchEnd')
    await expect.poll(() => words(page.locator('#viewer-place'))).toBe('2 / 3')
  })

  test('a text and its quadrangle light up together', async () => {
    const { page } = await openOutcomes(example)
    await page.locator('#p1 li[data-line="1"]').hover()
    expect(await page.locator('#p1 polygon.lit').getAttribute('data-line')).toBe('1')
    await page.locator('h1').hover()
    expect(await page.locator('.lit').count()).toBe(0)
  })

  test('the boxes can be put away', async () => {
    const { page } = await openOutcomes(example)
    await page.getByRole('checkbox', { name: 'Boxes' }).uncheck()
    expect(await page.locator('.boxes:visible').count()).toBe(0)
  })

  test('the plots say what they show, by mouse and by arrow keys', async () => {
    const { page } = await openOutcomes(example)
    const depth = page.getByRole('slider', { name: 'Depth of the queue' })
    await depth.focus()
    await page.keyboard.press('End')
    await page.keyboard.press('ArrowLeft')
    expect(await depth.getAttribute('aria-valuetext')).toMatch(/^1 at 1\.\d s$/)
    await page.locator('.canvas').first().hover()
    expect(await words(page.locator('[data-plot="rate"] .readout'))).toMatch(/ a second at 0\.\d s$/)
  })

  test('is dark where dark is wanted', async () => {
    const brightness = async (colorScheme: 'dark' | 'light') => {
      const { page } = await openOutcomes(example, { colorScheme })
      return (await coloursAround(page, 5, 5))[0]?.[0]
    }
    expect(await brightness('dark')).toBeLessThan(40)
    expect(await brightness('light')).toBeGreaterThan(230)
  })

  test('moves nothing where that is not wanted', async () => {
    const { page } = await openOutcomes(example, { reducedMotion: 'reduce' })
    await page.locator('#p1 a').click()
    expect(await page.evaluate('document.getAnimations().length')).toBe(0)
  })

  test('without script: pictures with boxes, filters, texts as a table, and each picture by itself', async () => {
    const { page } = await openOutcomes(example, { javaScriptEnabled: false })
    expect(await page.getByRole('searchbox').count()).toBe(0)
    await filter(page, 'Failed').click()
    expect(await page.locator('.card:visible').count()).toBe(1)
    await filter(page, 'All').click()
    expect(await page.locator('#texts tbody').allTextContents()).toHaveLength(2)
    await page.locator('#p1 a').click()
    expect(page.url()).toMatch(/\/pictures\/1\.jpg$/)
  })

  test('on paper there is no toolbar, and all is there', async () => {
    const { page } = await openOutcomes(example)
    await page.emulateMedia({ media: 'print' })
    expect(await page.locator('#toolbar').isVisible()).toBe(false)
    expect(await page.locator('.card:visible').count()).toBe(4)
  })

  test('a run at work says so', async () => {
    const stateDir = await temporaryFolder()
    await writeLedger(stateDir, 'w', example)
    const { page } = await openRun(stateDir)
    expect(await words(page.getByRole('note'))).toContain(
      '4 pictures recorded, the detector has not ended yet',
    )
    expect(await words(page.locator('h1'))).toMatch(/2 pictures so far$/)
  })
})

function filter(page: Page, name: string): Locator {
  return page.locator('.filters label', { hasText: name })
}

import type { Locator, Page } from 'playwright-core'
import { describe, expect, test } from 'vitest'
import { noBrowser } from './browser.ts'
import { coloursAround, example, openOutcomes, openRun, useBrowser, words } from './open-report.ts'
import { temporaryDirectory, writeUnfinished } from './run-fixture.ts'

useBrowser()

describe.skipIf(noBrowser !== undefined)('the report in a browser', () => {
  test('shows the figures, and the reason where there is no image', async () => {
    const { page, incidents } = await openOutcomes(example)
    expect(await words(page.locator('h1'))).toBe('Car and text in 2 of 9 images')
    expect(await words(page.locator('.summary-bar'))).toContain('2 Detector failures')
    expect(await words(page.locator('#p4'))).toContain('the object is gone')
    expect(await words(page.locator('#p4'))).toContain(
      'It could not be fetched: GetObject: the object does not exist.',
    )
    expect(await words(page.locator('#p1 .lines'))).toBe('YHI9 OTZ 99.1 %TAXI 69.1 %')
    expect(await words(page.locator('.figures'))).toMatch(/DetectText calls ?3.*Answers reused ?1/)
    await page.getByText('Detector failures', { exact: false }).last().click()
    expect(await words(page.locator('#detector-failures tbody'))).toBe('empty.jpgthe object is empty')
    expect(await words(page.locator('#detector-failures'))).toContain('1 more')
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

  test('can be used with the keyboard alone', async () => {
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
    // The link to the images, two plots, filters, search, boxes, three images, three tables.
    for (let stop = 0; stop < 12; stop += 1) {
      await page.keyboard.press('Tab')
      expect([await page.evaluate('document.activeElement.outerHTML'), await page.evaluate(marked)]).toEqual([
        expect.not.stringMatching(/^<body/),
        true,
      ])
    }
  })

  test('the large view shows what the filters show', async () => {
    const { page } = await openOutcomes(example)
    await filter(page, 'Car and text').click()
    await page.locator('#p1 a').click()
    await page.getByRole('button', { name: 'Next image' }).click()
    expect(await words(page.locator('#viewer-place'))).toBe('2 / 2')
    expect(await words(page.locator('#viewer-key'))).toBe('turned.jpg')
  })

  test('a swipe shows the next image', async () => {
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

  test('a text and its quadrangle are highlighted together', async () => {
    const { page } = await openOutcomes(example)
    await page.locator('#p1 li[data-line="1"]').hover()
    expect(await page.locator('#p1 polygon.highlighted').getAttribute('data-line')).toBe('1')
    await page.locator('h1').hover()
    expect(await page.locator('.highlighted').count()).toBe(0)
  })

  test('the boxes can be hidden', async () => {
    const { page } = await openOutcomes(example)
    await page.getByRole('checkbox', { name: 'Boxes' }).uncheck()
    expect(await page.locator('.boxes:visible').count()).toBe(0)
  })

  test('the plots show values for mouse and arrow keys', async () => {
    const { page } = await openOutcomes(example)
    const depth = page.getByRole('slider', { name: 'Queue depth' })
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

  test('has no animations where they are not wanted', async () => {
    const { page } = await openOutcomes(example, { reducedMotion: 'reduce' })
    await page.locator('#p1 a').click()
    expect(await page.evaluate('document.getAnimations().length')).toBe(0)
  })

  test('without script: images with boxes, filters, texts as a table, and each image by itself', async () => {
    const { page } = await openOutcomes(example, { javaScriptEnabled: false })
    expect(await page.getByRole('searchbox').count()).toBe(0)
    await filter(page, 'Failed').click()
    expect(await page.locator('.card:visible').count()).toBe(1)
    await filter(page, 'All').click()
    expect(await page.locator('#texts tbody').allTextContents()).toHaveLength(2)
    await page.locator('#p1 a').click()
    expect(page.url()).toMatch(/\/images\/1\.jpg$/)
  })

  test('on paper there is no toolbar, and all is there', async () => {
    const { page } = await openOutcomes(example)
    await page.emulateMedia({ media: 'print' })
    expect(await page.locator('#toolbar').isVisible()).toBe(false)
    expect(await page.locator('.card:visible').count()).toBe(4)
  })

  test('an unfinished run says so', async () => {
    const stateDir = await temporaryDirectory()
    await writeUnfinished(stateDir, '20261122T174500Z-3f9a', example)
    const { page } = await openRun(stateDir)
    expect(await words(page.getByRole('note'))).toContain(
      '4 images recorded, the detector has not finished yet',
    )
    expect(await words(page.locator('h1'))).toMatch(/2 images so far$/)
  })
})

function filter(page: Page, name: string): Locator {
  return page.locator('.filters label', { hasText: name })
}

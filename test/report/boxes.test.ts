import { describe, expect, test } from 'vitest'
import { noBrowser, type Rectangle, rectangleOf } from './browser.ts'
import { type Colour, coloursAround, example, openOutcomes, useBrowser } from './open-report.ts'
import { exampleQuadrangle, failed, withText } from './run-fixture.ts'

useBrowser()

describe.skipIf(noBrowser !== undefined)('boxes over images', () => {
  describe.each([390, 1440])('at %i pixels', (width) => {
    const options = { viewport: { width, height: 900 } }

    test('boxes and quadrangles lie where they were found, and are seen', async () => {
      const { page } = await openOutcomes(example, options)
      await page.locator('#p1').scrollIntoViewIfNeeded()
      const image = await rectangleOf(page, '#p1 img')
      expect(image.width / image.height).toBeCloseTo(640 / 360, 1)
      const box = within(image, [0.1, 0.2, 0.5, 0.25])
      expectSame(await rectangleOf(page, '#p1 rect'), box)
      expectSame(await rectangleOf(page, '#p1 polygon'), within(image, [0.19, 0.3, 0.21, 0.1]))
      expect((await coloursAround(page, box.x, box.y + box.height / 2)).some(amber)).toBe(true)
      const [[x, y], [x2, y2]] = exampleQuadrangle
      const above = within(image, [(x + x2) / 2, (y + y2) / 2, 0, 0])
      expect((await coloursAround(page, above.x, above.y)).some(turquoise)).toBe(true)
    })

    test('boxes lie on an image that EXIF turns, and on one taller than its card', async () => {
      const { page } = await openOutcomes(example, options)
      for (const [card, ratio] of [
        ['#p3', 300 / 600],
        ['#p2', 300 / 500],
      ] as const) {
        await page.locator(card).scrollIntoViewIfNeeded()
        const image = await rectangleOf(page, `${card} img`)
        expect(image.width / image.height).toBeCloseTo(ratio, 2)
        const share = card === '#p3' ? ([0.1, 0.2, 0.5, 0.25] as const) : ([0.5, 0.5, 0.5, 0.5] as const)
        expectSame(await rectangleOf(page, `${card} rect`), within(image, share))
      }
    })

    test('boxes keep to the image in the large view, whatever the zoom', async () => {
      const { page } = await openOutcomes(example, options)
      await page.locator('#p1 a').click()
      for (const key of ['b', 'b', '+', '+', '-', '0']) {
        await page.keyboard.press(key)
        const image = await rectangleOf(page, '#viewer img')
        expect(image.width / image.height).toBeCloseTo(640 / 360, 1)
        if (key !== 'b')
          expectSame(await rectangleOf(page, '#viewer rect'), within(image, [0.1, 0.2, 0.5, 0.25]))
      }
    })

    test('nothing is wider than the window', async () => {
      const long = 'W'.repeat(400)
      const { page } = await openOutcomes(
        [...example, withText(5, [long], `${long}.jpg`), failed(6, long)],
        options,
      )
      await page.getByText('All texts as a table').click()
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width)
    })
  })
})

function within(outer: Rectangle, [left, top, width, height]: readonly [number, number, number, number]) {
  return {
    x: outer.x + left * outer.width,
    y: outer.y + top * outer.height,
    width: width * outer.width,
    height: height * outer.height,
  }
}

function expectSame(actual: Rectangle, expected: Rectangle) {
  for (const side of ['x', 'y', 'width', 'height'] as const)
    expect(actual[side]).toBeCloseTo(expected[side], 0)
}

const amber = ([red, green, blue]: Colour) => red > 200 && green > 120 && green < 210 && blue < 110
const turquoise = ([red, green, blue]: Colour) => red < 160 && green > 170 && blue > 150

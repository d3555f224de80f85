import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { writeReport } from '../../src/report/write-report.ts'
import { noBrowser } from './browser.ts'
import { openIndex, useBrowser } from './open-report.ts'
import { failed, grayImage, temporaryDirectory, withText, writeResults } from './run-fixture.ts'

useBrowser()

const attacks = [
  '<img src=x onerror=alert(1)>.jpg',
  '</script><script>alert(1)</script>.jpg',
  '"><svg onload=alert(1)>.jpg',
  "' onmouseover='alert(1)",
  '</title></style></dialog><iframe src=javascript:alert(1)>',
  '<!--<script>alert(1)',
  'javascript:alert(1)',
  '../../../../etc/passwd.jpg',
  '{{7*7}}`$'.concat('{alert(1)}`'),
  '<base href=http://example.invalid/>',
  '<meta http-equiv=refresh content=0;url=http://example.invalid>',
  '<a href=javascript:alert(1) id=cards name=viewer>click</a>',
]

async function hostileReport(names: readonly string[]): Promise<string> {
  const stateDir = await temporaryDirectory()
  const outcomes = names.map((name, i) =>
    i % 4 === 3 ? failed(i + 1, name, name) : withText(i + 1, [name, name], name),
  )
  await writeResults(stateDir, outcomes, {
    label: '<b>Car</b>',
    bucket: '<i>b</i>',
    requests: { '<u>Get</u>': 2 },
    detectorFailures: names.map((key) => ({ key, reason: key })),
  })
  const image = await grayImage(40, 30)
  const { index } = await writeReport({
    ...{ stateDir, out: join(await temporaryDirectory(), 'out'), bucket: 'b', label: 'Car' },
    fetchImage: async () => image,
  })
  return index
}

describe.skipIf(noBrowser !== undefined)('untrusted keys and texts', () => {
  test('are shown as they are, and nothing in them runs, loads or moves the page', async () => {
    const { page, incidents } = await openIndex(await hostileReport(attacks))
    expect(await page.locator('.key').allTextContents()).toEqual(attacks)
    await page.getByRole('searchbox').fill('<script>')
    await page.getByRole('searchbox').fill('')
    await page.locator('a.frame').first().click()
    for (const key of attacks) {
      expect(await page.locator('#viewer-key').textContent()).toBe(key)
      await page.keyboard.press('ArrowRight')
    }
    await page.keyboard.press('Escape')
    expect(await page.locator('iframe, base, object, embed, .card svg [onload], bdi *').count()).toBe(0)
    expect(page.url()).toMatch(/\/out\/index\.html$/)
    expect(incidents).toEqual([])
  })

  test('cannot turn the direction of what stands beside them, nor hide in it', async () => {
    const names = [
      'photo\u202Egpj.exe',
      'a\u2066b\u202B.jpg',
      'שלום.jpg',
      'x\u0000\u001B[31m\u2028y\uD800.jpg',
    ]
    const { page, incidents } = await openIndex(await hostileReport(names))
    const shown = await page.locator('.key').allTextContents()
    expect(shown).toEqual([
      'photo\uFFFDgpj.exe',
      'a\uFFFDb\uFFFD.jpg',
      'שלום.jpg',
      'x\uFFFD\uFFFD[31m\uFFFDy\uFFFD.jpg',
    ])
    expect(await page.locator('.key bdi, .read bdi').count()).toBeGreaterThan(8)
    expect(incidents).toEqual([])
  })

  test('would not run even if the escaping failed', async () => {
    const index = await hostileReport(['a.jpg'])
    const { url, requests } = await listeningServer()
    const attack = `<script>document.title = 'taken'</script><img src=x onerror="document.title = 'taken'">
      <a id=trap href="javascript:document.title = 'taken'">trap</a><style>h1 { display: none }</style>
      <p id=inline style="position: fixed">x</p><img src="${url}"><iframe src="${url}"></iframe>
      <script src="${url}"></script><link rel=stylesheet href="${url}"><form id=form action="${url}"></form>`
    await writeFile(index, (await readFile(index, 'utf8')).replace('<main>', `<main>${attack}`))
    const { page, incidents } = await openIndex(index)
    await page.locator('#trap').click()
    expect(await page.title()).toMatch(/^imgpipe report/)
    expect(await page.locator('h1').isVisible()).toBe(true)
    expect(await page.evaluate(`getComputedStyle(document.getElementById('inline')).position`)).toBe('static')
    await page.evaluate(`document.getElementById('form').submit()`)
    const refused = () => incidents.filter((incident) => incident.includes('Content Security Policy'))
    await expect.poll(() => refused().length).toBe(10)
    expect(requests).toEqual([])
  })
})

/** A server that only records its requests. */
async function listeningServer(): Promise<{ url: string; requests: string[] }> {
  const requests: string[] = []
  const server = createServer((request, response) => {
    requests.push(String(request.url))
    response.end()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => void server.close())
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return { url: `http://127.0.0.1:${address.port}/`, requests }
}

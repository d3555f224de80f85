import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { statusOf } from '../../../src/local/rekognition/errors.ts'

it('The table of errors in docs/local-cloud.md is the one of the source', () => {
  const page = readFileSync(new URL('../../../docs/local-cloud.md', import.meta.url), 'utf8')
  const rows = [...page.matchAll(/^\| `(\w+)` \| (\d{3}) \|/gm)]
  expect(Object.fromEntries(rows.map(([, name, status]) => [name, Number(status)]))).toEqual(statusOf)
})

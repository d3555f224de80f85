import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { pages } from '../../scripts/write-docs.ts'

it.each(Object.entries(pages()))('%s is as "npm run docs" writes it', (path, text) => {
  expect(readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')).toBe(text)
})

import { expect, test } from 'vitest'
import { displaySafe } from '../../src/host/display.ts'

test.each([
  '\x1b[2J',
  'a\nb',
  'a\r',
  '\x9b1m',
  '\u202Eevil',
  '\u2066x',
  'a\u2028b',
  '\uFEFF',
  '\u200B',
  '\x00',
])('nothing of %j reaches a terminal', (text) => expect(displaySafe(text)).toMatch(/^[ -~\uFFFD]*$/))

test('ordinary writing of any script is shown as it is', () => {
  for (const text of ['YHI9 OTZ', 'Straße', '日本', 'مرحبا', '🚗']) expect(displaySafe(text)).toBe(text)
})

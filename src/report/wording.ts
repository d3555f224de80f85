import { displaySafe } from '../host/display.ts'
import { type Html, html } from './html.ts'

/** A key or a text of an image: without control characters, and isolated in its direction of writing. */
export function untrustedText(text: string): Html {
  return html`<bdi>${displaySafe(text)}</bdi>`
}

const wholeNumber = new Intl.NumberFormat('en', { maximumFractionDigits: 0 })
const shortNumber = new Intl.NumberFormat('en', { maximumSignificantDigits: 2 })

/** 1,234 */
export function count(value: number): string {
  return wholeNumber.format(value)
}

/** 1 image, 1,234 images */
export function counted(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? '' : 's'}`
}

/** A confidence of 0 to 100: 99.1 %; a value below 100 is never shown as 100. */
export function percent(value: number): string {
  return `${(Math.floor(value * 10) / 10).toFixed(1)}\u202f%`
}

/** 0.25, 4.2, 51 */
export function rate(value: number): string {
  return value < 100 ? shortNumber.format(value) : wholeNumber.format(value)
}

const units = [
  ['d', 86_400],
  ['h', 3600],
  ['min', 60],
  ['s', 1],
] as const

/** Its two largest units: 2 h 5 min, 48 s, 3.4 s */
export function duration(milliseconds: number): string {
  const seconds = milliseconds / 1000
  if (seconds < 9.95) return `${shortNumber.format(seconds)}\u00a0s`
  let left = Math.round(seconds)
  const parts: string[] = []
  for (const [unit, size] of units) {
    const whole = Math.floor(left / size)
    left -= whole * size
    if (whole > 0 || parts.length > 0) parts.push(`${whole}\u00a0${unit}`)
  }
  return parts.slice(0, 2).join(' ')
}

const utcTime = new Intl.DateTimeFormat('en-GB', {
  dateStyle: 'medium',
  timeStyle: 'medium',
  timeZone: 'UTC',
})

/** 22 Nov 2026, 17:45:00 UTC, also for machines */
export function time(milliseconds: number): Html {
  const date = new Date(milliseconds)
  if (Number.isNaN(date.getTime())) return html`an unknown time`
  return html`<time datetime="${date.toISOString()}">${utcTime.format(date)} UTC</time>`
}

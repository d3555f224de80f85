/**
 * What a worker can wait for, in words that a label may have: sentences name queues, runs and seconds, and each of them
 * would be a time series of its own.
 */
export const waitingReasons = [
  'credentials',
  'permission',
  'service',
  'request',
  'daily-limit',
  'messages',
  'disk',
  'other',
] as const

export type WaitingReason = (typeof waitingReasons)[number]

/** How the sentences of the workers begin (src/flow/outage-log.ts and what reports to it). */
const beginnings: readonly (readonly [RegExp, WaitingReason])[] = [
  [/^waiting for new credentials\b/, 'credentials'],
  [/^not permitted to\b/, 'permission'],
  [/^cannot\b/, 'service'],
  [/^waiting for \w+ for \d+ s$/, 'request'],
  [/^the limit of \d+ Rekognition calls a day\b/, 'daily-limit'],
  [/^run \S+: |^messages are about the bucket\b/, 'messages'],
  [/^disk full\b|^database .* is locked\b|^too many open files\b/, 'disk'],
]

/** @param sentence `waiting` of a status */
export function waitingReason(sentence: string): WaitingReason {
  return beginnings.find(([pattern]) => pattern.test(sentence))?.[1] ?? 'other'
}

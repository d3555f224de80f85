import { mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { keepHeapSmall } from '../src/daemon/small-heap.ts'
import type { Outcome } from '../src/protocol/outcomes.ts'
import { sortedOutcomes } from '../src/reader/sorted-outcomes.ts'
import { publish } from './support/table.ts'

/** What sorting a finished run's outcomes takes, by the number of cars: memory should stay flat. */
const { values } = parseArgs({ options: { cars: { type: 'string', default: '10000,100000,400000' } } })
keepHeapSmall()

const folder = await mkdtemp(join(tmpdir(), 'imgpipe-bench-publish-'))
const rows: Record<string, string | number>[] = []
for (const cars of values.cars.split(',').map(Number)) rows.push(await measure(cars))
await rm(folder, { recursive: true })
await publish({ name: 'publish', title: 'Sorting a finished run', rows })

async function measure(cars: number) {
  const ledger = join(folder, 'ledger.ndjson')
  await writeLedger(ledger, cars)
  const before = process.cpuUsage()
  let peak = 0
  let sorted = 0
  for await (const _ of sortedOutcomes(ledger, cars, folder)) {
    if (++sorted % 1000 === 0) peak = Math.max(peak, process.memoryUsage.rss())
  }
  const { user, system } = process.cpuUsage(before)
  return {
    cars: sorted,
    'processor time s': ((user + system) / 1e6).toFixed(1),
    'most resident MB': (peak / 1e6).toFixed(0),
  }
}

async function writeLedger(path: string, cars: number): Promise<void> {
  const file = await open(path, 'w')
  for (let n = 1; n <= cars; n++) await file.appendFile(`${JSON.stringify(outcome(n, cars))}\n`)
  await file.close()
}

/** Keys in an order that has nothing to do with the numbers, as recognition gives them. */
function outcome(n: number, cars: number): Outcome {
  const polygon = [
    [0.1, 0.1],
    [0.3, 0.1],
    [0.3, 0.2],
    [0.1, 0.2],
  ] as const
  const lines = [{ text: 'YHI9 OTZ', confidence: 99.1, polygon }]
  const key = `pictures/of/some/length/${(n * 7919) % cars}.jpg`
  return {
    n,
    key,
    bucket: 'b',
    confidence: 98.1,
    boxes: [[0.1, 0.2, 0.3, 0.4]],
    sentAt: 1,
    at: 2,
    outcome: 'text',
    lines,
  }
}

import type { WriteStream } from 'node:tty'
import type { RunStatus } from './read-status.ts'

const barCells = 24
const narrow = 60

/**
 * Both workers' progress, one line each: drawn over and over on a terminal, as plain lines whenever something
 * has changed elsewhere.
 */
export class DemoScreen {
  readonly #output: WriteStream
  readonly #colour: boolean
  #drawn = 0
  #last = ''

  constructor(output: WriteStream, mayColour: boolean) {
    this.#output = output
    this.#colour = mayColour && output.isTTY
  }

  draw({ detector, reader }: RunStatus): void {
    const judged = detector?.judged ?? 0
    const cars = detector?.cars ?? 0
    const found = `${judged}${of(detector?.total)} pictures, ${cars} cars`
    const read = `${reader?.recorded ?? 0} of ${cars} cars read, ${reader?.texts ?? 0} with text`
    const isAllSent = detector?.state === 'done'
    this.#show([
      { name: 'A detector', done: judged, total: detector?.total, sentence: found, isOver: isAllSent },
      {
        name: 'B reader',
        done: reader?.recorded ?? 0,
        total: cars,
        sentence: read,
        isOver: reader?.state === 'complete',
      },
    ])
  }

  /** Leaves the cursor below the last drawing. */
  end(): void {
    this.#drawn = 0
  }

  #show(workers: Bar[]): void {
    if (this.#output.isTTY) this.#showBars(workers)
    else this.#showPlain(workers)
  }

  #showBars(workers: Bar[]): void {
    const up = this.#drawn > 0 ? `\x1b[${this.#drawn}A` : ''
    const lines = workers.map((worker) => `\x1b[2K${this.#line(worker)}`)
    this.#output.write(`${up}${lines.join('\n')}\n`)
    this.#drawn = lines.length
  }

  #showPlain(workers: Bar[]): void {
    const text = workers.map(({ name, sentence }) => `${name}: ${sentence}`).join('; ')
    if (text !== this.#last) this.#output.write(`${text}\n`)
    this.#last = text
  }

  #line({ name, done, total, sentence, isOver }: Bar): string {
    const label = `${name.padEnd(11)}`
    if (this.#output.columns < narrow) return `${label}${sentence}`.slice(0, this.#output.columns - 1)
    const share = total ? Math.min(1, done / total) : 0
    const filled = Math.round(share * barCells)
    const bar = `${'█'.repeat(filled)}${'░'.repeat(barCells - filled)}`
    return `${label}${this.#painted(bar, isOver ? 32 : 36)} ${sentence}`
  }

  #painted(text: string, colour: number): string {
    return this.#colour ? `\x1b[${colour}m${text}\x1b[0m` : text
  }
}

interface Bar {
  readonly name: string
  readonly done: number
  readonly total: number | undefined
  readonly sentence: string
  readonly isOver: boolean
}

function of(total: number | undefined): string {
  return total === undefined ? '' : ` of ${total}`
}

import type { WriteStream } from 'node:tty'
import type { Surroundings } from '../config/surroundings.ts'
import type { RunStatus } from '../status/read-status.ts'
import { counted, failures, ofAll } from '../status/status-text.ts'

const barCells = 24
/** Where a bar and what stands beside it may not fit in one line, there is no bar. */
const narrow = 80

/**
 * Both workers' progress, one line each: drawn over and over on a terminal, as plain lines whenever something
 * has changed elsewhere.
 */
export class DemoScreen {
  readonly #output: WriteStream
  readonly #look: Pick<Surroundings, 'mayColour' | 'isUtf8'>
  #drawn = 0
  #last = ''

  constructor(output: WriteStream, look: Pick<Surroundings, 'mayColour' | 'isUtf8'>) {
    this.#output = output
    this.#look = look
  }

  draw({ detector, reader }: RunStatus): void {
    const judged = detector?.judged ?? 0
    const cars = detector?.cars ?? 0
    const total = detector?.total
    const found = `${ofAll(judged, total, 'picture')}, ${counted(cars, 'car')}${failures(detector?.failed)}`
    const read = `${reader?.recorded ?? 0} of ${counted(cars, 'car')} read, ${reader?.texts ?? 0} with text${failures(reader?.failures)}`
    const isAllSent = detector?.state === 'done'
    this.#show([
      { name: 'A detector', done: judged, total, sentence: found, isOver: isAllSent },
      {
        name: 'B reader',
        done: reader?.recorded ?? 0,
        total: cars,
        sentence: read,
        isOver: reader?.state === 'complete',
      },
    ])
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
    // A terminal that does not know its width says 0.
    const columns = this.#output.columns || 80
    if (columns < narrow) return `${name.padEnd(11)}${sentence}`.slice(0, columns - 1)
    const filled = Math.round((total ? Math.min(1, done / total) : 0) * barCells)
    const { full, empty } = this.#look.isUtf8 ? { full: '█', empty: '░' } : { full: '#', empty: '.' }
    const bar = `${full.repeat(filled)}${empty.repeat(barCells - filled)}`
    return `${name.padEnd(11)}${this.#painted(bar, isOver ? 32 : 36)} ${sentence}`
  }

  #painted(text: string, colour: number): string {
    return this.#look.mayColour && this.#output.isTTY ? `\x1b[${colour}m${text}\x1b[0m` : text
  }
}

interface Bar {
  readonly name: string
  readonly done: number
  readonly total: number | undefined
  readonly sentence: string
  readonly isOver: boolean
}

import type { WriteStream } from 'node:tty'
import type { Environment } from '../host/environment.ts'
import type { RunOverview } from '../status/read-status.ts'
import { counted, failures, ofTotal } from '../status/status-text.ts'

const barCells = 24
/** Narrower terminals may have no room for a bar and the sentence beside it. */
const minColumnsForBars = 80

type OutputStyle = Pick<Environment, 'useColor' | 'isUtf8'>

interface Bar {
  readonly name: string
  readonly done: number
  readonly total: number | undefined
  readonly sentence: string
  readonly isDone: boolean
}

/** Both workers' progress, one line each: redrawn in place on a terminal, and printed whenever it has changed elsewhere. */
export class DemoScreen {
  readonly #output: WriteStream
  readonly #style: OutputStyle
  #drawnLines = 0
  #last = ''

  constructor(output: WriteStream, style: OutputStyle) {
    this.#output = output
    this.#style = style
  }

  draw({ detector, reader }: Pick<RunOverview, 'detector' | 'reader'>): void {
    const processed = detector?.processed ?? 0
    const recorded = reader?.recorded ?? 0
    // The two databases are read one after the other.
    const cars = Math.max(detector?.cars ?? 0, recorded)
    const total = detector?.total
    this.#show([
      {
        name: 'A detector',
        done: processed,
        total,
        sentence: `${ofTotal(processed, total, 'image')}, ${counted(cars, 'car')}${failures(detector?.failed)}`,
        isDone: detector?.state === 'done',
      },
      {
        name: 'B reader',
        done: recorded,
        total: cars,
        sentence: `${recorded} of ${counted(cars, 'car')} read, ${reader?.texts ?? 0} with text${failures(reader?.failed)}`,
        isDone: reader?.state === 'complete',
      },
    ])
  }

  #show(bars: Bar[]): void {
    if (this.#output.isTTY) this.#drawBars(bars)
    else this.#printLine(bars)
  }

  #drawBars(bars: Bar[]): void {
    const up = this.#drawnLines > 0 ? `\x1b[${this.#drawnLines}A` : ''
    const lines = bars.map((bar) => `\x1b[2K${this.#line(bar)}`)
    this.#output.write(`${up}${lines.join('\n')}\n`)
    this.#drawnLines = lines.length
  }

  #printLine(bars: Bar[]): void {
    const text = bars.map(({ name, sentence }) => `${name}: ${sentence}`).join('; ')
    if (text !== this.#last) this.#output.write(`${text}\n`)
    this.#last = text
  }

  #line({ name, done, total, sentence, isDone }: Bar): string {
    // A terminal that does not know its width reports 0.
    const columns = this.#output.columns || 80
    if (columns < minColumnsForBars) return `${name.padEnd(11)}${sentence}`.slice(0, columns - 1)
    const filled = Math.round((total ? Math.min(1, done / total) : 0) * barCells)
    const { full, empty } = this.#style.isUtf8 ? { full: '█', empty: '░' } : { full: '#', empty: '.' }
    const bar = `${full.repeat(filled)}${empty.repeat(barCells - filled)}`
    return `${name.padEnd(11)}${this.#colored(bar, isDone ? 32 : 36)} ${sentence}`
  }

  #colored(text: string, color: number): string {
    return this.#style.useColor && this.#output.isTTY ? `\x1b[${color}m${text}\x1b[0m` : text
  }
}

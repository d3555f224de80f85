import type { WriteStream } from 'node:tty'
import type { Environment } from '../host/environment.ts'
import type { RunOverview } from '../status/read-status.ts'
import { counted, failures, ofTotal } from '../status/status-text.ts'

const barCells = 24
/** Narrower terminals may not fit a bar and the text next to it. */
const minColumnsForBars = 80

type OutputStyle = Pick<Environment, 'useColor' | 'isUtf8'>

interface Bar {
  readonly name: string
  readonly done: number
  readonly total: number | undefined
  readonly text: string
  readonly isDone: boolean
}

/** Progress of both workers, one line each: redrawn in place on a terminal, otherwise printed on every change. */
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
    // The two databases are not read at the same instant.
    const cars = Math.max(detector?.cars ?? 0, recorded)
    const total = detector?.total
    this.#show([
      {
        name: 'A detector',
        done: processed,
        total,
        text: `${ofTotal(processed, total, 'image')}, ${counted(cars, 'car')}${failures(detector?.failed)}`,
        isDone: detector?.state === 'done',
      },
      {
        name: 'B reader',
        done: recorded,
        total: cars,
        text: `${recorded} of ${counted(cars, 'car')} read, ${reader?.texts ?? 0} with text${failures(reader?.failed)}`,
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
    const line = bars.map(({ name, text }) => `${name}: ${text}`).join('; ')
    if (line !== this.#last) this.#output.write(`${line}\n`)
    this.#last = line
  }

  #line({ name, done, total, text, isDone }: Bar): string {
    // A terminal that does not know its width reports 0.
    const columns = this.#output.columns || 80
    if (columns < minColumnsForBars) return `${name.padEnd(11)}${text}`.slice(0, columns - 1)
    const filled = Math.round((total ? Math.min(1, done / total) : 0) * barCells)
    const { full, empty } = this.#style.isUtf8 ? { full: '█', empty: '░' } : { full: '#', empty: '.' }
    const bar = `${full.repeat(filled)}${empty.repeat(barCells - filled)}`
    return `${name.padEnd(11)}${this.#colored(bar, isDone ? 32 : 36)} ${text}`
  }

  #colored(text: string, color: number): string {
    return this.#style.useColor && this.#output.isTTY ? `\x1b[${color}m${text}\x1b[0m` : text
  }
}

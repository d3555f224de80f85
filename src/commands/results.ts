import { once } from 'node:events'
import { type Command, Option } from 'commander'
import { loadSettings } from '../config/settings.ts'
import { writeResults } from '../report/run-results.ts'
import { type ExportFormat, exportFormats } from '../results/export.ts'
import { examples } from './examples.ts'

interface ResultsOptions {
  format: ExportFormat
  partial?: boolean
  config?: string
}

const bufferedLength = 65_536

/** Adds `imgpipe results` to the program. */
export function addResults(program: Command): void {
  program
    .command('results')
    .description('print the results of a run as text, CSV, JSON or JSON lines')
    .argument('[run]', 'ID of the run (default: the one that results.txt shows)')
    .addOption(new Option('--format <format>', 'output format').choices(exportFormats).default('txt'))
    .option('--partial', 'print what has been read so far of a run that is not finished')
    .addHelpText(
      'after',
      examples(
        ['imgpipe results', 'what results.txt says: images with text'],
        ['imgpipe results --format csv >results.csv', 'every image with the label, for a spreadsheet'],
        ['imgpipe results --format jsonl --partial | jq .key', 'while the run is going on'],
      ),
    )
    .action(async (run: string | undefined, _options: object, command: Command) => {
      const { format, partial = false, config } = command.optsWithGlobals<ResultsOptions>()
      const { stateDir } = loadSettings({ configFile: config })
      const output = new Output(process.stdout)
      try {
        await writeResults({ stateDir, run, format, partial }, (text) => output.write(text))
      } finally {
        await output.flush()
      }
    })
}

/** Writes in pieces of 64 KB, and no faster than they are taken. */
class Output {
  readonly #stream: NodeJS.WriteStream
  #pending: string[] = []
  #length = 0

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream
  }

  async write(text: string): Promise<void> {
    this.#pending.push(text)
    this.#length += text.length
    if (this.#length >= bufferedLength) await this.flush()
  }

  async flush(): Promise<void> {
    const text = this.#pending.join('')
    this.#pending = []
    this.#length = 0
    if (!this.#stream.write(text)) await once(this.#stream, 'drain')
  }
}

import { ImgpipeError } from '../daemon/exit-codes.ts'
import { wholeLines } from '../daemon/lines.ts'
import { type PictureRecord, pictureRecord, type RunFacts, runFacts, withLedgerLine } from './records.ts'
import { type Timeline, TimelineRecorder } from './timeline.ts'

/** A run as the report tells it. `pictures` holds the first `maxPictures`; all else counts every picture. */
export interface RunStory {
  readonly run: string
  readonly finished: boolean
  readonly facts: RunFacts
  readonly pictures: readonly PictureRecord[]
  readonly outcomes: Readonly<Record<PictureRecord['outcome'], number>>
  /** Lines of text, over all pictures. */
  readonly texts: number
  readonly timeline: Timeline
}

interface RunSource {
  readonly run: string
  readonly file: string
  readonly finished: boolean
}

/**
 * Reads a run's results.json, or its ledger when it has not finished, line by line: a run may have a million
 * pictures, and only the first `maxPictures` and two times of each of the others are kept.
 */
export async function readRun(source: RunSource, maxPictures: number): Promise<RunStory> {
  const recorder = new StoryRecorder(maxPictures)
  const facts = source.finished
    ? await readResults(source.file, recorder)
    : await readLedger(source.file, recorder)
  return { run: source.run, finished: source.finished, facts, ...recorder.told() }
}

/** What all pictures of a run add up to, and the first of them whole. */
class StoryRecorder {
  readonly #maxPictures: number
  readonly #pictures: PictureRecord[] = []
  readonly #outcomes = { text: 0, 'no-text': 0, failed: 0 }
  readonly #timeline = new TimelineRecorder()
  #texts = 0

  constructor(maxPictures: number) {
    this.#maxPictures = maxPictures
  }

  add(picture: PictureRecord): void {
    if (this.#pictures.length < this.#maxPictures) this.#pictures.push(picture)
    this.#outcomes[picture.outcome] += 1
    this.#texts += picture.lines.length
    this.#timeline.add(picture.sentAt, picture.at)
  }

  /** Puts the pictures that are kept in the order of their numbers. */
  sort(): void {
    this.#pictures.sort((a, b) => a.n - b.n)
  }

  told() {
    return {
      pictures: this.#pictures,
      outcomes: this.#outcomes,
      texts: this.#texts,
      timeline: this.#timeline.timeline(),
    }
  }
}

/** results.json: lines of a header that end in `"pictures":[`, then one picture a line, then `]}`. */
async function readResults(file: string, recorder: StoryRecorder): Promise<RunFacts> {
  let header = ''
  let inHeader = true
  for await (const line of wholeLines(file)) {
    if (inHeader) {
      header += line
      inHeader = !endsHeader(line)
    } else if (line.startsWith('{')) {
      recorder.add(resultsLine(file, line))
    }
  }
  return headerFacts(file, header)
}

/** The facts at the head of a results.json; what follows is not read. */
export async function readHeader(file: string): Promise<RunFacts> {
  let header = ''
  for await (const line of wholeLines(file)) {
    header += line
    if (endsHeader(line)) break
  }
  return headerFacts(file, header)
}

function endsHeader(line: string): boolean {
  return /"pictures"\s*:\s*\[\s*(\]\s*\}\s*)?$/.test(line)
}

function headerFacts(file: string, header: string): RunFacts {
  const whole = header.trimEnd().endsWith('}') ? header : `${header}]}`
  const json = parsed(whole)
  if (json === undefined) throw notResults(file)
  return runFacts(json)
}

function resultsLine(file: string, line: string): PictureRecord {
  const picture = pictureRecord(parsed(line.replace(/,\s*$/, '')))
  if (picture === undefined) throw notResults(file)
  return picture
}

function notResults(file: string): ImgpipeError {
  return new ImgpipeError(
    'disk',
    `${file} is not as imgpipe read wrote it (a header, then one picture a line): restore it, or name another run with --run.`,
  )
}

/**
 * A ledger at work: the outcomes so far. A line that is none yet (the last one may be torn) is passed over, and
 * of several outcomes of one picture the first counts, as for the reader.
 */
async function readLedger(file: string, recorder: StoryRecorder): Promise<RunFacts> {
  let facts = runFacts({})
  const seen = new Set<number>()
  for await (const line of wholeLines(file)) {
    const json = parsed(line)
    const picture = pictureRecord(json)
    facts = withLedgerLine(facts, json)
    if (picture === undefined || seen.has(picture.n)) continue
    seen.add(picture.n)
    recorder.add(picture)
  }
  recorder.sort()
  return facts
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}

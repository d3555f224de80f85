import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Outcome, RunEnd } from '../../src/protocol/outcomes.ts'
import { StateDatabase } from '../../src/state/database.ts'
import { type DetectorProgress, DetectorRuns, type RunSettings } from '../../src/state/detector-runs.ts'
import { type OutcomeSource, ReaderRuns } from '../../src/state/reader-runs.ts'
import { databasePath, type Role } from '../../src/state/role.ts'
import { detectorSchema, readerSchema, schemaVersion } from '../../src/state/schema.ts'

export const settings: RunSettings = {
  bucket: 'images',
  prefix: '',
  maxImages: 0,
  label: 'Car',
  minConfidence: 90,
  queue: 'cars',
  region: 'us-east-1',
}

/** A directory of the test's own, which is deleted with it; readable by any user. */
export function temporaryDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'imgpipe-status-'))
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** Opens a worker's database as the worker does. */
export async function openDatabase(stateDir: string, role: Role): Promise<StateDatabase> {
  mkdirSync(stateDir, { recursive: true })
  const database = await StateDatabase.open({
    path: databasePath(stateDir, role),
    schema: role === 'detector' ? detectorSchema : readerSchema,
    version: schemaVersion,
    waitForSpace: async () => 'stop',
  })
  onTestFinished(() => database.close())
  return database
}

/** The n-th run ID, in order of time. */
export function runId(n: number): string {
  const start = new Date(Date.UTC(2026, 10, 22) + n * 1000).toISOString()
  return `${start.replace(/[-:]|\.\d+/g, '')}-aaaa`
}

/** The detector's database, filled by the methods that the detector uses. */
export class DetectorState {
  readonly database: StateDatabase
  readonly runs: DetectorRuns

  static async open(stateDir: string): Promise<DetectorState> {
    return new DetectorState(await openDatabase(stateDir, 'detector'))
  }

  private constructor(database: StateDatabase) {
    this.database = database
    this.runs = new DetectorRuns(database)
  }

  /** A run with some progress. @returns its seq */
  async begin(run: string, progress: Partial<DetectorProgress & { reused: number }> = {}): Promise<number> {
    const { seq } = await this.runs.begin(run, {
      settings,
      fresh: false,
      at: Date.now(),
      queueCreatedAt: undefined,
    })
    await this.progress(seq, progress)
    return seq
  }

  async progress(seq: number, progress: Partial<DetectorProgress & { reused: number }>): Promise<void> {
    const { processed = 0, reused = 0 } = progress
    const none = { cars: 0, failed: 0, perSecond: 0, total: undefined, waiting: undefined, requests: {} }
    const checkpoint = { lastKey: 'k', images: processed, skipped: 0, reused, digest: '' }
    await this.database.commit(() =>
      this.runs.checkpoint(seq, checkpoint, { ...none, ...progress, processed }),
    )
  }

  async end(seq: number, state: 'ended' | 'done' | 'abandoned' = 'done'): Promise<void> {
    await this.database.commit(() => this.runs.setState(seq, state))
  }
}

/** The reader's database, filled by the methods that the reader uses. */
export class ReaderState {
  readonly database: StateDatabase
  readonly runs: ReaderRuns

  static async open(stateDir: string): Promise<ReaderState> {
    return new ReaderState(await openDatabase(stateDir, 'reader'))
  }

  private constructor(database: StateDatabase) {
    this.database = database
    this.runs = new ReaderRuns(database)
  }

  async begin(
    run: string,
    outcomes: readonly Outcome[] = [],
    source: OutcomeSource = 'asked',
  ): Promise<number> {
    const { seq } = await this.runs.begin(run)
    await this.database.commit(() => {
      for (const outcome of outcomes) this.runs.addOutcome(seq, outcome, source)
    })
    return seq
  }

  async setEnd(seq: number, end: Partial<RunEnd> = {}): Promise<void> {
    const whole = { count: 0, images: 0, failed: 0, failures: [], abandoned: false, ...end }
    await this.database.commit(() => this.runs.setEnd(seq, whole))
  }

  async complete(seq: number): Promise<void> {
    await this.database.commit(() => this.runs.setComplete(seq))
    await this.runs.deleteDetails()
  }
}

/** Outcomes of three images: text, no text, failed. */
export function threeOutcomes(at = Date.now()): Outcome[] {
  const lines = [{ text: 'YHI9 OTZ', confidence: 99, polygon: [] }]
  return [
    { n: 1, key: '1.jpg', at, outcome: 'text', lines },
    { n: 2, key: '2.jpg', at, outcome: 'no-text' },
    { n: 3, key: '3.jpg', at, outcome: 'failed', reason: 'the object is gone' },
  ]
}

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { StateDatabase } from '../../src/state/database.ts'
import { detectorSchema, readerSchema, schemaVersion } from '../../src/state/schema.ts'

/** A worker's database in a state directory of its own. */
export class TestDatabase {
  readonly stateDir = mkdtempSync(join(tmpdir(), 'imgpipe-state-'))
  readonly #role: 'detector' | 'reader'
  #database: StateDatabase | undefined

  constructor(role: 'detector' | 'reader') {
    this.#role = role
  }

  /** Opens it, or opens it again as the next process does. */
  async open(): Promise<StateDatabase> {
    await this.#database?.close()
    this.#database = await StateDatabase.open({
      path: join(this.stateDir, `${this.#role}.sqlite`),
      schema: this.#role === 'detector' ? detectorSchema : readerSchema,
      version: schemaVersion,
      waitForSpace: () => Promise.reject(new Error('the disk is not full')),
    })
    return this.#database
  }

  async delete(): Promise<void> {
    await this.#database?.close()
    rmSync(this.stateDir, { recursive: true, force: true })
  }
}

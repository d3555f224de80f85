import { type Answer, type Kind, type Question, RecognitionThread } from './thread.ts'

/**
 * Recognition threads with a queue in front.
 *
 * A question waits until a thread is idle. The two kinds take turns, so that a pile of slow questions (text)
 * never holds up the quick ones. A thread that dies takes its one question along, which is rejected, and
 * another is started in its place; when that fails, and no thread is left, all questions are rejected.
 */
export class RecognitionPool {
  readonly #idle: RecognitionThread[] = []
  readonly #waiting: Record<Kind, Waiting[]> = { objects: [], text: [] }
  readonly #threads = new Set<RecognitionThread>()
  /** Answers in the making and threads being started: what closing waits for. */
  readonly #unfinished = new Set<Promise<void>>()
  #lastKind: Kind = 'text'
  /** Why nothing can be answered any more. */
  #broken: Error | undefined

  private constructor() {}

  /** @throws {Error} when the models cannot be loaded */
  static async start(threads: number): Promise<RecognitionPool> {
    const pool = new RecognitionPool()
    try {
      await Promise.all(Array.from({ length: threads }, () => pool.#startThread()))
    } catch (error) {
      await pool.close()
      throw error
    }
    return pool
  }

  /** @throws {UndecodablePicture} */
  ask(question: Question): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting[question.kind].push({ question, resolve, reject })
      this.#dispatch()
    })
  }

  /** Rejects what waits, lets what runs finish, and ends all threads. */
  async close(): Promise<void> {
    this.#break(new Error('The recognition has been closed.'))
    await Promise.all(this.#unfinished)
    await Promise.all([...this.#threads].map((thread) => thread.stop()))
  }

  async #startThread(): Promise<void> {
    const thread = await RecognitionThread.start()
    this.#threads.add(thread)
    this.#idle.push(thread)
    void thread.ended.then(() => this.#replace(thread))
    this.#dispatch()
  }

  #replace(dead: RecognitionThread): void {
    this.#threads.delete(dead)
    const at = this.#idle.indexOf(dead)
    if (at >= 0) this.#idle.splice(at, 1)
    if (this.#broken !== undefined) return
    this.#track(
      this.#startThread().catch((error: Error) => {
        if (this.#threads.size === 0) this.#break(error)
      }),
    )
  }

  #track(work: Promise<void>): void {
    this.#unfinished.add(work)
    void work.finally(() => this.#unfinished.delete(work))
  }

  #break(reason: Error): void {
    this.#broken ??= reason
    this.#dispatch()
  }

  #dispatch(): void {
    for (let next = this.#next(); next !== undefined; next = this.#next()) {
      if (this.#broken !== undefined) next.reject(this.#broken)
      else this.#track(this.#answer(next))
    }
  }

  /** The next question, when there is a thread to answer it or none can be answered at all. */
  #next(): Waiting | undefined {
    if (this.#broken === undefined && this.#idle.length === 0) return undefined
    const other: Kind = this.#lastKind === 'text' ? 'objects' : 'text'
    const kind = this.#waiting[other].length > 0 ? other : this.#lastKind
    this.#lastKind = kind
    return this.#waiting[kind].shift()
  }

  async #answer({ question, resolve, reject }: Waiting): Promise<void> {
    const thread = this.#idle.pop()
    if (thread === undefined) return reject(new Error('No recognition thread is idle.'))
    try {
      resolve(await thread.ask(question))
    } catch (error) {
      reject(error)
    }
    if (this.#threads.has(thread)) this.#idle.push(thread)
    this.#dispatch()
  }
}

interface Waiting {
  question: Question
  resolve: (answer: Answer) => void
  reject: (reason: unknown) => void
}

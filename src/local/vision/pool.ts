import { type Kind, type RecognitionRequest, type RecognitionResult, RecognitionThread } from './thread.ts'

/**
 * A pool of recognition threads with a request queue.
 *
 * A request waits until a thread is idle. The two kinds alternate, so that a backlog of slow requests (text) never
 * delays the fast ones. When a thread dies, its current request is rejected and a replacement is started; if that
 * fails and no thread is left, all requests are rejected.
 */
export class RecognitionPool {
  readonly #idle: RecognitionThread[] = []
  readonly #waiting: Record<Kind, Waiting[]> = { objects: [], text: [] }
  readonly #threads = new Set<RecognitionThread>()
  /** Requests in progress and threads being started: `close` waits for them. */
  readonly #unfinished = new Set<Promise<void>>()
  #lastKind: Kind = 'text'
  /** Set once no more requests can be served. */
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

  /** @throws {UndecodableImage} */
  run(request: RecognitionRequest): Promise<RecognitionResult> {
    return new Promise((resolve, reject) => {
      this.#waiting[request.kind].push({ request, resolve, reject })
      this.#dispatch()
    })
  }

  /** Rejects waiting requests, lets running ones finish, and stops all threads. */
  async close(): Promise<void> {
    this.#break(new Error('The recognition pool has been closed.'))
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
      else this.#track(this.#run(next))
    }
  }

  /** The next request, if a thread is idle or all requests must be rejected. */
  #next(): Waiting | undefined {
    if (this.#broken === undefined && this.#idle.length === 0) return undefined
    const other: Kind = this.#lastKind === 'text' ? 'objects' : 'text'
    const kind = this.#waiting[other].length > 0 ? other : this.#lastKind
    this.#lastKind = kind
    return this.#waiting[kind].shift()
  }

  async #run({ request, resolve, reject }: Waiting): Promise<void> {
    const thread = this.#idle.pop()
    if (thread === undefined) return reject(new Error('No recognition thread is idle.'))
    try {
      resolve(await thread.run(request))
    } catch (error) {
      reject(error)
    }
    if (this.#threads.has(thread)) this.#idle.push(thread)
    this.#dispatch()
  }
}

interface Waiting {
  request: RecognitionRequest
  resolve: (result: RecognitionResult) => void
  reject: (reason: unknown) => void
}

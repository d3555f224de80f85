import { Worker } from 'node:worker_threads'
import { type DetectedObject, type TextLine, UndecodablePicture } from './answers.ts'

export type Kind = 'objects' | 'text'
export type Answer = DetectedObject[] | TextLine[]

/** What goes to the worker thread. */
export interface Question {
  kind: Kind
  picture: Uint8Array
}

/** What comes back from it. */
export type Reply = { answer: Answer } | { undecodable: boolean; message: string }

/** A worker thread with one set of models. It is given one question at a time. */
export class RecognitionThread {
  readonly #worker: Worker
  /** Resolves with a sentence when the thread has ended, for whatever reason. */
  readonly ended: Promise<string>

  private constructor(worker: Worker) {
    this.#worker = worker
    this.ended = new Promise((resolve) => {
      let reason = 'it stopped'
      worker.on('error', (error) => (reason = error.message))
      worker.on('exit', () => resolve(reason))
    })
  }

  /** Resolves when the models are loaded. */
  static async start(): Promise<RecognitionThread> {
    const worker = new Worker(new URL('./worker.ts', import.meta.url))
    const thread = new RecognitionThread(worker)
    const outcome = await Promise.race([thread.#nextMessage(), thread.ended])
    if (outcome !== 'ready') throw new Error(`The recognition models cannot be loaded: ${outcome}`)
    return thread
  }

  /** @throws {UndecodablePicture} */
  async ask({ kind, picture }: Question): Promise<Answer> {
    // A copy that is handed over: the caller keeps its bytes, and a slice does not drag its whole buffer along.
    const bytes = new Uint8Array(picture)
    const reply = this.#nextMessage() as Promise<Reply>
    this.#worker.postMessage({ kind, picture: bytes } satisfies Question, [bytes.buffer])
    const outcome = await Promise.race([reply, this.ended])
    if (typeof outcome === 'string')
      throw new Error(`The recognition thread died with this picture: ${outcome}`)
    return unwrap(outcome)
  }

  /** Lets the thread end by itself: stopping it by force in the middle of a model's run may crash the process. */
  async stop(): Promise<void> {
    this.#worker.postMessage('stop')
    await this.ended
  }

  #nextMessage(): Promise<unknown> {
    return new Promise((resolve) => this.#worker.once('message', resolve))
  }
}

function unwrap(reply: Reply): Answer {
  if ('answer' in reply) return reply.answer
  throw reply.undecodable ? new UndecodablePicture(reply.message) : new Error(reply.message)
}

import { Worker } from 'node:worker_threads'
import { type DetectedObject, type TextLine, UndecodableImage } from './results.ts'

export type Kind = 'objects' | 'text'
export type RecognitionResult = DetectedObject[] | TextLine[]

/** Message to the worker thread. */
export interface RecognitionRequest {
  kind: Kind
  image: Uint8Array
}

/** Message from the worker thread. */
export type RecognitionResponse = { result: RecognitionResult } | { undecodable: boolean; message: string }

/** A worker thread with one set of models. It processes one request at a time. */
export class RecognitionThread {
  readonly #worker: Worker
  /** Resolves with the reason when the thread has ended. */
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

  /** @throws {UndecodableImage} */
  async run({ kind, image }: RecognitionRequest): Promise<RecognitionResult> {
    // A copy is transferred: the caller keeps its bytes, and a slice does not transfer its whole buffer.
    const bytes = new Uint8Array(image)
    const response = this.#nextMessage() as Promise<RecognitionResponse>
    this.#worker.postMessage({ kind, image: bytes } satisfies RecognitionRequest, [bytes.buffer])
    const outcome = await Promise.race([response, this.ended])
    if (typeof outcome === 'string')
      throw new Error(`The recognition thread died while processing this image: ${outcome}`)
    return unwrap(outcome)
  }

  /** Lets the thread exit by itself: terminating it during inference may crash the process. */
  async stop(): Promise<void> {
    this.#worker.postMessage('stop')
    await this.ended
  }

  #nextMessage(): Promise<unknown> {
    return new Promise((resolve) => this.#worker.once('message', resolve))
  }
}

function unwrap(response: RecognitionResponse): RecognitionResult {
  if ('result' in response) return response.result
  throw response.undecodable ? new UndecodableImage(response.message) : new Error(response.message)
}

import { parentPort } from 'node:worker_threads'
import sharp from 'sharp'
import { Recognizer } from './recognizer.ts'
import { UndecodableImage } from './results.ts'
import type { RecognitionRequest, RecognitionResponse } from './thread.ts'

/** Entry point of the worker thread: loads the models, reports `ready`, then serves requests until its port is closed. */
if (parentPort === null) throw new Error('This module must run in a worker thread.')
const port = parentPort

sharp.concurrency(1)
const recognizer = await Recognizer.load()
port.on('message', (request: RecognitionRequest | 'stop') => {
  if (request === 'stop') port.close()
  else void recognize(request).then((response) => port.postMessage(response))
})
port.postMessage('ready')

async function recognize({ kind, image }: RecognitionRequest): Promise<RecognitionResponse> {
  try {
    return { result: await recognizer[kind](image) }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    return { undecodable: error instanceof UndecodableImage, message }
  }
}

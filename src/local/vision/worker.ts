import { parentPort } from 'node:worker_threads'
import sharp from 'sharp'
import { UndecodablePicture } from './answers.ts'
import { Recognizer } from './recognizer.ts'
import type { Question, Reply } from './thread.ts'

/** The worker thread's program: loads the models, says so, then answers questions until its port is closed. */
if (parentPort === null) throw new Error('This file runs as a worker thread only.')
const port = parentPort

sharp.concurrency(1)
const recognizer = await Recognizer.load()
port.on('message', (question: Question | 'stop') => {
  if (question === 'stop') port.close()
  else void answer(question).then((reply) => port.postMessage(reply))
})
port.postMessage('ready')

async function answer({ kind, picture }: Question): Promise<Reply> {
  try {
    return { answer: await recognizer[kind](picture) }
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    return { undecodable: error instanceof UndecodablePicture, message }
  }
}

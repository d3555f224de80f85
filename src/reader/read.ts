import type { Message } from '@aws-sdk/client-sqs'
import { Attempts } from '../aws/attempts.ts'
import { ByteBudget } from '../aws/byte-budget.ts'
import type { Clients } from '../aws/clients.ts'
import { controlPicture } from '../aws/control-picture.ts'
import { Pictures } from '../aws/pictures.ts'
import { mostPerRequest, type Queue } from '../aws/queue.ts'
import { TextDetection } from '../aws/recognition.ts'
import { Stopped, untilItWorks } from '../aws/retry.ts'
import type { Troubles } from '../aws/troubles.ts'
import type { Settings } from '../config/schema.ts'
import type { Log } from '../daemon/log.ts'
import { pause, type StopSignals } from '../daemon/stop-signal.ts'
import type { ServiceManager } from '../daemon/systemd.ts'
import { WorkInHand } from '../daemon/work-in-hand.ts'
import { type EndMessage, type IndexMessage, parseMessage } from '../protocol/messages.ts'
import { type AnalyseParts, analyse, type Finding } from './analyse.ts'
import type { ForeignRun } from './foreign-run.ts'
import type { HeldMessages } from './held-messages.ts'
import { Progress } from './progress.ts'
import type { RunBook } from './run-book.ts'
import { type Work, workOf } from './work.ts'

/** What a reader works with; made once per process. */
export interface ReaderParts {
  readonly settings: Settings
  readonly clients: Clients
  readonly queue: Queue
  readonly book: RunBook
  /** undefined: messages without a run are not ours (several readers could not agree on them) */
  readonly foreign: ForeignRun | undefined
  readonly held: HeldMessages
  readonly visibilitySeconds: number
  readonly waitSeconds: number
  readonly log: Log
  readonly manager: ServiceManager
  readonly troubles: Troubles
  readonly stop: StopSignals
}

const budgetBytes = 32 * 1024 * 1024
/** Pictures whose turn has not come: they are downloaded meanwhile. */
const picturesAhead = 16
/** Long enough for a foreign run to be believed over after two of them. */
const foreignWaitSeconds = 10
const oddMessagesRemembered = 1000
const gatherMilliseconds = 100

/**
 * Worker B's loop. A message goes received → held (kept invisible) → outcome in the ledger, on the disk →
 * deleted. Whatever ends the process before the last step, the message comes again and is known.
 */
export class Reader {
  readonly #parts: ReaderParts
  readonly #analyse: AnalyseParts
  readonly #hand: WorkInHand
  readonly #progress: Progress
  /** messages about pictures that are being read, by the work's name: a repeated message waits for the first */
  readonly #inWork = new Map<string, Message[]>()
  readonly #oddMessages = new Set<string>()
  #hasReceived = false
  #wasFull = true

  constructor(parts: ReaderParts) {
    const { settings, clients, stop, troubles, manager, book } = parts
    const { bucket, maxAttempts, maxRequestsPerSecond, minTextConfidence } = settings
    this.#parts = parts
    const text = new TextDetection(clients.rekognition, {
      maxRequestsPerSecond,
      isCareful: book.isResumed,
      stop,
    })
    const pictures = new Pictures(clients.s3, stop)
    this.#analyse = {
      attempts: new Attempts({
        what: 'read texts',
        maxAttempts,
        controls: {
          rekognition: () => text.detect({ kind: 'bytes', bytes: controlPicture }, minTextConfidence),
          s3: () => pictures.missNothing(bucket),
        },
        troubles,
        signal: stop.soft,
      }),
      pictures,
      text,
      budget: new ByteBudget(budgetBytes),
      bucket,
      minTextConfidence,
      alive: () => manager.alive(),
    }
    this.#hand = new WorkInHand(() => text.calls.inFlight.limit + picturesAhead)
    this.#progress = new Progress(parts)
  }

  /** Works until the process is asked to stop. @throws {ImgpipeError} when a person has to act */
  async go(): Promise<void> {
    const { stop, held } = this.#parts
    try {
      while (!stop.soft.aborted) {
        await this.#hand.room()
        await this.#gather()
        this.#take(await this.#receive())
      }
      await this.#hand.finished()
    } catch (error) {
      if (error instanceof Stopped) return
      // What else is in hand may be waiting for a service: it would keep the error from being told.
      stop.begin()
      throw error
    } finally {
      await this.#hand.finished().catch(() => undefined)
      await held.giveBack()
      this.#progress.end()
    }
  }

  /** While there is work in hand, a moment for more messages to come: ten of them cost as much as one. */
  async #gather(): Promise<void> {
    if (this.#hand.size > 0 && !this.#wasFull) await pause(gatherMilliseconds, this.#parts.stop.soft)
  }

  /** One long poll. It is not cut when the process stops: SQS would go on and hand its messages to nobody. */
  async #receive(): Promise<Message[]> {
    const { queue, manager, troubles, stop, visibilitySeconds, waitSeconds, foreign } = this.#parts
    const most = Math.max(1, Math.min(mostPerRequest, this.#hand.left))
    const wait = foreign?.isEnding ? Math.max(waitSeconds, foreignWaitSeconds) : waitSeconds
    // The first only shows that the queue answers, so that `systemctl start` need not wait for a message.
    const firstOrWait = this.#hasReceived ? wait : 0
    const poll = () => {
      manager.alive()
      return queue.receive({ most, waitSeconds: firstOrWait, visibilitySeconds })
    }
    const messages = await untilItWorks(poll, { what: 'receive from the queue', troubles, signal: stop.soft })
    manager.ready()
    this.#hasReceived = true
    this.#wasFull = messages.length === most
    if (messages.length === 0 && this.#hand.size === 0) await foreign?.emptyPoll()
    return messages
  }

  #take(messages: Message[]): void {
    for (const message of messages) {
      this.#parts.held.add(message)
      this.#hand.start(() => this.#handle(message))
    }
  }

  /** A stop leaves the message held: it is given back at the end. */
  async #handle(message: Message): Promise<void> {
    const parsed = parseMessage(message)
    if (parsed.kind !== 'unreadable' && parsed.run === undefined && !this.#parts.foreign) {
      return this.#leave(
        message,
        'it has no attribute "run", and readers that share a resultsBucket need one',
      )
    }
    switch (parsed.kind) {
      case 'index':
        return this.#handleIndex(message, parsed)
      case 'end':
        return this.#handleEnd(message, parsed)
      case 'unreadable':
        return this.#leave(message, parsed.reason)
    }
  }

  async #handleIndex(message: Message, index: IndexMessage): Promise<void> {
    const work = workOf(message, index, this.#parts.book, this.#parts.foreign)
    const first = this.#inWork.get(work.name)
    if (first) {
      first.push(message)
      return
    }
    const messages = [message]
    this.#inWork.set(work.name, messages)
    try {
      const standing = await work.standing()
      if (standing === 'contradicted') {
        for (const each of messages) this.#leave(each, 'its number is beyond the count of its run')
        return
      }
      if (standing === 'open') await this.#settle(work, index)
    } finally {
      this.#inWork.delete(work.name)
    }
    await Promise.all(messages.map((each) => this.#parts.held.delete(each)))
  }

  async #settle(work: Work, index: IndexMessage): Promise<void> {
    const finding = await analyse(index, this.#analyse)
    await work.record(finding)
    this.#progress.read()
    this.#tell(index, finding)
  }

  #tell({ run, key }: IndexMessage, finding: Finding): void {
    const { log } = this.#parts
    if (finding.outcome === 'failed')
      log.warn('a picture could not be read', { run, key, reason: finding.reason })
    else if (finding.outcome === 'no-text') log.debug('no text', { run, key })
    else log.debug('text', { run, key, text: finding.lines.map(({ text }) => text).join(' | ') })
  }

  async #handleEnd(message: Message, { run, count, images, failed, abandoned }: EndMessage): Promise<void> {
    const { book, foreign, held } = this.#parts
    if (run === undefined || count === undefined) {
      await foreign?.recordLast(message.MessageId ?? '')
    } else {
      const end = { count, images: images ?? 0, failed: failed ?? 0, abandoned }
      const answer = await book.recordEnd(run, end)
      if (answer === 'contradicted')
        return this.#leave(message, `run ${run} has ended with another count already`)
    }
    await held.delete(message)
  }

  /** None of ours: said once, never deleted; SQS moves it to the dead-letter queue. */
  #leave(message: Message, reason: string): void {
    const id = message.MessageId ?? ''
    this.#parts.held.forget(message)
    if (this.#oddMessages.has(id)) return
    if (this.#oddMessages.size >= oddMessagesRemembered) this.#oddMessages.clear()
    this.#oddMessages.add(id)
    this.#parts.log.warn(`a message is left for the dead-letter queue: ${reason}`, { message: id })
  }
}

import {
  Agent,
  createServer,
  type IncomingMessage,
  request,
  type Server,
  type ServerResponse,
} from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import {
  type Answer,
  type AwsRequest,
  emptyAnswer,
  pageAnswer,
  pretendedDelete,
  readAwsRequest,
  refusalAnswer,
  withDelays,
} from './aws-request.ts'
import { type Fault, type FaultRule, isMet } from './faults.ts'
import { Random } from './random.ts'

export type { Fault, FaultRule } from './faults.ts'

/** A request that has gone by. */
export interface SeenRequest extends AwsRequest {
  /** what happened to it, but for delays */
  readonly fault: Fault | undefined
  /** the service's answer, that of a fault, or undefined when there was none */
  readonly status: number | undefined
}

/**
 * A network that goes wrong: stands before a cloud and lets faults happen to the share of requests that its
 * rules say. The dice of each operation are their own, so that with the same seed the third DetectLabels meets
 * the same fate, whatever else goes by.
 */
export class FaultProxy {
  readonly #server: Server
  readonly #agent = new Agent({ keepAlive: true })
  readonly #target: URL
  readonly #seed: number
  readonly #dice = new Map<string, Random>()
  readonly #rules = new Set<FaultRule>()
  readonly #watchers = new Set<(seen: SeenRequest) => void>()
  readonly #arrivals = new Set<(request: AwsRequest) => void>()

  /** @param target the cloud's URL. @param rules may be changed later */
  static async start(target: string, seed = 0, rules: readonly FaultRule[] = []): Promise<FaultProxy> {
    const proxy = new FaultProxy(target, seed)
    for (const rule of rules) proxy.add(rule)
    await new Promise<void>((resolve) => proxy.#server.listen(0, '127.0.0.1', resolve))
    return proxy
  }

  private constructor(target: string, seed: number) {
    this.#target = new URL(target)
    this.#seed = seed
    this.#server = createServer((incoming, response) => void this.#handle(incoming, response))
    this.#server.keepAliveTimeout = 60_000
  }

  get url(): string {
    const address = this.#server.address()
    return `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`
  }

  /** Lets a fault begin. @returns what ends it */
  add(rule: FaultRule): () => void {
    this.#rules.add(rule)
    return () => this.#rules.delete(rule)
  }

  /** Ends all faults. */
  heal(): void {
    this.#rules.clear()
  }

  /** Calls back when a request comes in. @returns what ends it */
  onArrival(watcher: (request: AwsRequest) => void): () => void {
    this.#arrivals.add(watcher)
    return () => this.#arrivals.delete(watcher)
  }

  /** Calls back when a request is over. @returns what ends it */
  onSeen(watcher: (seen: SeenRequest) => void): () => void {
    this.#watchers.add(watcher)
    return () => this.#watchers.delete(watcher)
  }

  /** @returns when so many more requests that match have come in; never when the signal aborts first */
  arrivals(count: number, matches: (request: AwsRequest) => boolean, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      let left = count
      const end = this.onArrival((request) => {
        if (!matches(request) || --left > 0) return
        end()
        resolve()
      })
      signal?.addEventListener('abort', end)
    })
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    this.#server.closeAllConnections()
    this.#agent.destroy()
    await closed
  }

  async #handle(incoming: IncomingMessage, response: ServerResponse): Promise<void> {
    // Whoever is killed or gives up leaves broken connections: that is what this is for.
    response.on('error', () => undefined)
    const gone = new AbortController()
    response.once('close', () => gone.abort())
    try {
      const body = await wholeBody(incoming)
      const aws = readAwsRequest(incoming, body)
      for (const watcher of this.#arrivals) watcher(aws)
      await this.#treat(aws, incoming, response, gone.signal)
    } catch {
      incoming.socket.destroy()
    }
  }

  async #treat(
    aws: AwsRequest,
    incoming: IncomingMessage,
    response: ServerResponse,
    gone: AbortSignal,
  ): Promise<void> {
    const { milliseconds, waits, fault, random } = this.#fate(aws)
    if (milliseconds > 0) await delay(milliseconds, undefined, { signal: gone })
    await Promise.all(waits)
    if (fault?.kind === 'reset' && fault.when === 'before') {
      this.#tell(aws, undefined, fault)
      return void incoming.socket.destroy()
    }
    if (fault?.kind === 'refuse')
      return this.#answer(aws, refusalAnswer(aws.service, fault.refusal), response, fault)
    if (fault?.kind === 'html') return this.#answer(aws, pageAnswer(fault.status), response, fault)
    if (fault?.kind === 'empty') return this.#answer(aws, emptyAnswer(fault.status), response, fault)
    if (fault?.kind === 'pretend') return this.#answer(aws, pretendedDelete(aws), response, fault)
    const body =
      fault?.kind === 'hold back' ? withDelays(aws, () => random.between(0, fault.mostSeconds)) : aws.body
    if (fault?.kind === 'repeat') await this.#forward(incoming, body, gone)
    const answer = await this.#forward(incoming, body, gone)
    this.#deliver(aws, answer, response, fault)
  }

  /** All delays and waits that the dice give, and the first other fault. */
  #fate(aws: AwsRequest) {
    const random = this.#diceOf(aws.operation)
    const waits: Promise<unknown>[] = []
    let milliseconds = 0
    let fault: Fault | undefined
    for (const rule of this.#rules) {
      if (!isMet(rule, aws) || !random.chance(rule.share ?? 1)) continue
      if (rule.fault.kind === 'delay') milliseconds += random.between(0, rule.fault.mostMilliseconds)
      else if (rule.fault.kind === 'wait') waits.push(rule.fault.until)
      else fault ??= rule.fault
    }
    return { milliseconds, waits, fault, random }
  }

  #diceOf(operation: string): Random {
    const dice = this.#dice.get(operation) ?? new Random(this.#seed, operation)
    this.#dice.set(operation, dice)
    return dice
  }

  async #forward(incoming: IncomingMessage, body: Buffer, signal: AbortSignal): Promise<Answer> {
    const headers = { ...incoming.headers, 'content-length': String(body.length) }
    // A body whose length is known is sent as such.
    delete headers['transfer-encoding']
    const { hostname, port } = this.#target
    const { method, url: path } = incoming
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const outgoing = request({ hostname, port, method, path, headers, agent: this.#agent, signal }, resolve)
      outgoing.once('error', reject)
      outgoing.end(body)
    })
    return { status: answer.statusCode ?? 500, headers: answer.headers, body: await wholeBody(answer) }
  }

  #deliver(aws: AwsRequest, answer: Answer, response: ServerResponse, fault: Fault | undefined): void {
    if (fault?.kind !== 'stall' && fault?.kind !== 'reset' && fault?.kind !== 'cut') {
      this.#answer(aws, answer, response, fault)
      return
    }
    this.#tell(aws, answer.status, fault)
    if (fault.kind === 'reset') response.socket?.destroy()
    if (fault.kind === 'cut') cut(answer, response)
  }

  #answer(aws: AwsRequest, answer: Answer, response: ServerResponse, fault: Fault | undefined): void {
    this.#tell(aws, answer.status, fault)
    response.writeHead(answer.status, headersToSend(answer))
    response.end(response.req.method === 'HEAD' ? undefined : answer.body)
  }

  #tell(aws: AwsRequest, status: number | undefined, fault: Fault | undefined): void {
    for (const watcher of this.#watchers) watcher({ ...aws, status, fault })
  }
}

function cut(answer: Answer, response: ServerResponse): void {
  response.writeHead(answer.status, headersToSend(answer))
  response.write(answer.body.subarray(0, answer.body.length >> 1), () => response.socket?.destroy())
}

async function wholeBody(message: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of message) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}

/** The connection is the proxy's own. */
function headersToSend({ headers }: Answer): Record<string, string | string[]> {
  const own = new Set(['connection', 'keep-alive', 'transfer-encoding'])
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      value === undefined || own.has(name) ? [] : [[name, value]],
    ),
  )
}

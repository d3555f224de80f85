import { AsyncLocalStorage } from 'node:async_hooks'
import type { Agent, ClientRequest } from 'node:http'
import type { Socket } from 'node:net'
import type { FinalizeRequestMiddleware, MiddlewareStack } from '@smithy/types'

/** One attempt at a request, from before its connection is made. */
interface Attempt {
  wasSent: boolean
}

/** What Node's agents are told of each request; not among their types. */
interface RequestAgent {
  addRequest(request: ClientRequest, ...rest: unknown[]): void
}

const attempts = new AsyncLocalStorage<Attempt>()
const unsent = new WeakSet<object>()

/** Notes for each request of an agent when it has a connection to be sent on: with TLS, when the handshake is over. */
export function observeConnections(agent: Agent): void {
  const observed = agent as unknown as RequestAgent
  const addRequest = observed.addRequest.bind(agent)
  observed.addRequest = (request, ...rest) => {
    const attempt = attempts.getStore()
    if (attempt) {
      request.once('socket', (socket: Socket) => {
        whenConnected(socket, () => {
          attempt.wasSent = true
        })
      })
    }
    addRequest(request, ...rest)
  }
}

function whenConnected(socket: Socket & { secureConnecting?: boolean }, note: () => void): void {
  if (socket.secureConnecting) socket.once('secureConnect', note)
  else if (socket.connecting) socket.once('connect', note)
  else note()
}

/** Remembers which errors of a client's requests came before there was a connection. */
export function observeRequests(stack: unknown): void {
  const observe: FinalizeRequestMiddleware<object, object> = (next) => async (args) => {
    const attempt = { wasSent: false }
    try {
      return await attempts.run(attempt, () => next(args))
    } catch (error) {
      if (!attempt.wasSent && typeof error === 'object' && error !== null) unsent.add(error)
      throw error
    }
  }
  const middleware = stack as MiddlewareStack<object, object>
  middleware.add(observe, { step: 'finalizeRequest', priority: 'low', name: 'imgpipeSentRequests' })
}

/** Whether the request that threw this may have reached the service; without evidence it may. */
export function mayHaveBeenSent(error: unknown): boolean {
  return typeof error !== 'object' || error === null || !unsent.has(error)
}

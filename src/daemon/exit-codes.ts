/** What the process says to its caller when it ends (design: sysexits; the units' restart policy reads them). */
export const exitCodes = {
  done: 0,
  usage: 64,
  unavailable: 69,
  disk: 74,
  rights: 77,
  settings: 78,
} as const

export type ExitReason = keyof typeof exitCodes

/**
 * An end of the whole program that a person can do something about. Its message is one sentence that names
 * the thing, the rule and the remedy; it is printed as it is, without a stack trace.
 */
export class ImgpipeError extends Error {
  readonly reason: ExitReason
  readonly exitCode: number

  constructor(reason: ExitReason, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ImgpipeError'
    this.reason = reason
    this.exitCode = exitCodes[reason]
  }
}

/** The person at the terminal, or a signal, ended a command that was not done; the exit code is the shells' 128 + SIGINT. */
export class Interrupted extends Error {
  readonly exitCode = 130
}

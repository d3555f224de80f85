/** Exit codes of every command (sysexits.h where it has a word for it); the units' restart policy reads them. */
export const exitCodes = {
  done: 0,
  usage: 64,
  'all-failed': 65,
  unavailable: 69,
  disk: 74,
  interrupted: 75,
  permission: 77,
  settings: 78,
} as const

export type ExitReason = keyof typeof exitCodes

/**
 * Ends the program with something that a person can act on. The message is one sentence that names the thing, the
 * rule and the remedy; it is printed as it is, without a stack trace.
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

/** A signal ended a command that was not done; the exit code is the shells' 128 + SIGINT. */
export class Interrupted extends Error {
  readonly exitCode = 130
}

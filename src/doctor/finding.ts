import type { Fault } from '../aws/errors.ts'
import { explainFault } from '../aws/explain.ts'
import type { ExitReason } from '../daemon/exit-codes.ts'

/** Which worker a host runs: each is looked at with what its worker needs. */
export type Role = 'detector' | 'reader' | 'both'

/** What one check has found: one line on the screen. */
export type Finding =
  | { readonly verdict: 'right'; readonly subject: string; readonly said: string }
  /** could not be looked at, because something that another line tells is wrong */
  | { readonly verdict: 'unknown'; readonly subject: string; readonly said: string }
  | WrongFinding

export interface WrongFinding {
  readonly verdict: 'wrong'
  readonly subject: string
  readonly said: string
  readonly remedy: string
  /** decides the exit code */
  readonly reason: ExitReason
}

export function right(subject: string, said: string): Finding {
  return { verdict: 'right', subject, said }
}

export function unknown(subject: string, said: string): Finding {
  return { verdict: 'unknown', subject, said }
}

export function wrong(subject: string, reason: ExitReason, said: string, remedy: string): WrongFinding {
  return { verdict: 'wrong', subject, reason, said, remedy }
}

/** What a service's refusal means. @param about the thing that was asked for, `the bucket "b"` */
export function refused(
  subject: string,
  about: string,
  fault: Fault,
  options: { rights: string; missing: string; address?: string | undefined },
): WrongFinding {
  const { reason, wrong: said, remedy } = explainFault(fault, options)
  return wrong(subject, reason, `${about}: ${said}`, remedy)
}

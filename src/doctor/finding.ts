import type { AwsError } from '../aws/errors.ts'
import { type ExplainOptions, explainFailure } from '../aws/explain.ts'
import type { ExitReason, ImgpipeError } from '../host/exit-codes.ts'

/** Which worker a host runs: only that worker's requirements are checked. */
export type Role = 'detector' | 'reader' | 'both'

/** What one check has found: one line on the screen. */
export type Finding = OkFinding | WarnFinding | FailFinding | SkipFinding

interface OkFinding {
  readonly verdict: 'ok'
  readonly subject: string
  readonly detail: string
}

/** The pipeline works, but not as it should. */
interface WarnFinding {
  readonly verdict: 'warn'
  readonly subject: string
  readonly detail: string
  readonly remedy?: string | undefined
}

/** The pipeline does not work. */
export interface FailFinding {
  readonly verdict: 'fail'
  readonly subject: string
  readonly detail: string
  readonly remedy?: string | undefined
  /** decides the exit code */
  readonly reason: ExitReason
  /** the same for all checks that fail because one and the same thing is down, such as the network */
  readonly cause?: string | undefined
}

/** Not checked: it does not apply here, or something else has to be put right first. */
interface SkipFinding {
  readonly verdict: 'skip'
  readonly subject: string
  readonly detail: string
  /** this user may not see it, root may: the pipeline can be in order or not */
  readonly needsRoot?: true
}

export function ok(subject: string, detail: string): OkFinding {
  return { verdict: 'ok', subject, detail }
}

export function warn(subject: string, detail: string, remedy?: string): WarnFinding {
  return { verdict: 'warn', subject, detail, remedy }
}

export function fail(subject: string, reason: ExitReason, detail: string, remedy?: string): FailFinding {
  return { verdict: 'fail', subject, reason, detail, remedy }
}

export function skip(subject: string, detail: string): SkipFinding {
  return { verdict: 'skip', subject, detail }
}

/** For what the current user may not see: it is neither in order nor missing. */
export function unseen(subject: string, why: string): SkipFinding {
  return { ...skip(subject, `not checked: ${why}; use "sudo imgpipe doctor"`), needsRoot: true }
}

export function isUnseen(finding: Finding): boolean {
  return finding.verdict === 'skip' && finding.needsRoot === true
}

/** A failed request as a finding. @param about what the request was for: the name of a bucket, of a queue */
export function failedRequest(
  subject: string,
  about: string,
  failure: AwsError,
  options: ExplainOptions,
): FailFinding {
  const { reason, problem, remedy } = explainFailure(failure, options)
  return { ...fail(subject, reason, `${about}: ${problem}`, remedy), cause: sharedCause(failure) }
}

/** The sentence that would end a worker; it names the remedy itself. */
export function fatal(subject: string, { reason, message }: ImgpipeError): FailFinding {
  return fail(subject, reason, message.replace(/\.$/, ''))
}

/** @returns the cause, without operation and details, where it lies between this host and the services */
export function sharedCause({ kind, code, status, message, operation }: AwsError): string | undefined {
  if (code !== '' || (kind !== 'transient' && kind !== 'timeout' && kind !== 'host')) return undefined
  // Services put a code into every error; how an answer without one fails to be theirs differs by operation.
  if (status !== undefined) return 'the answer is not from AWS'
  return message.slice(`${operation}: `.length).replace(/ \(.*$/, '')
}

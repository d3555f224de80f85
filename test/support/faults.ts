import type { AwsRequest, Refusal, Service } from './aws-request.ts'

/**
 * What may happen to a request:
 * - delay: it is held for up to so many ms, then goes on its way (or meets another fault)
 * - wait: it is held until something has happened, then goes on its way (or meets another fault)
 * - refuse: the service says no; it never gets the request
 * - reset before, after: the connection breaks before the service got the request, or when it has answered
 * - cut: the answer ends in the middle of its body
 * - stall: the service does its work and the answer never comes
 * - html: something that is not the service answers with a page
 * - empty: something answers with a status and no body
 * - repeat: the service gets it twice
 * - pretend: the caller is told that its messages are deleted, and they are not
 * - hold back: the queue delivers each of the messages that are sent up to so many seconds later
 */
export type Fault =
  | { readonly kind: 'delay'; readonly mostMilliseconds: number }
  | { readonly kind: 'wait'; readonly until: Promise<unknown> }
  | { readonly kind: 'refuse'; readonly refusal: Refusal }
  | { readonly kind: 'reset'; readonly when: 'before' | 'after' }
  | { readonly kind: 'cut' }
  | { readonly kind: 'stall' }
  | { readonly kind: 'html'; readonly status: number }
  | { readonly kind: 'empty'; readonly status: number }
  | { readonly kind: 'repeat' }
  | { readonly kind: 'pretend' }
  | { readonly kind: 'hold back'; readonly mostSeconds: number }

/** Which requests a fault meets: what is not named is any. */
export interface FaultRule {
  readonly service?: Service
  readonly operations?: readonly string[]
  readonly accessKey?: string
  readonly when?: (request: AwsRequest) => boolean
  /** 0 to 1; default 1 */
  readonly share?: number
  readonly fault: Fault
}

/** Whether a request is one of those that a rule names. */
export function isMet({ service, operations, accessKey, when }: FaultRule, aws: AwsRequest): boolean {
  if (service !== undefined && service !== aws.service) return false
  if (accessKey !== undefined && accessKey !== aws.accessKey) return false
  if (operations !== undefined && !operations.includes(aws.operation)) return false
  return when?.(aws) ?? true
}

import { credentialsAdvice } from '../host/credentials-advice.ts'
import type { ExitReason } from '../host/exit-codes.ts'
import { credentialsCommand } from '../host/installation.ts'
import type { AwsError } from './errors.ts'

/** A failure in words for a person who can do something about it. */
export interface Explanation {
  /** decides the exit code */
  readonly reason: ExitReason
  /** what is wrong, as a clause without a full stop */
  readonly problem: string
  /** what to do, as a clause that may follow a colon */
  readonly remedy: string
}

export interface ExplainOptions {
  /** what the credentials need, such as `sqs:CreateQueue` */
  readonly permission: string
  /** the remedy when the bucket or queue does not exist */
  readonly missing: string
  /** where the service was looked for, if that is known */
  readonly address?: string | undefined
}

/** Exhaustive: a new kind of failure does not compile without an explanation. */
export function explainFailure(failure: AwsError, options: ExplainOptions): Explanation {
  const problem = failure.message
  switch (failure.kind) {
    case 'credentials':
      return explainCredentials(failure)
    case 'denied':
    case 'unreadable':
      return {
        reason: 'permission',
        problem,
        remedy: `grant the credentials or the instance role ${options.permission}`,
      }
    case 'missing':
    case 'subject':
      return { reason: 'settings', problem, remedy: options.missing }
    case 'settings':
      return explainSettings(failure)
    case 'throttled':
      return { reason: 'unavailable', problem, remedy: 'try again in a minute' }
    case 'host':
      return explainHost(failure)
    case 'transient':
    case 'timeout':
      return unavailable(problem, options.address)
  }
}

const expiredCodes = new Set(['ExpiredTokenException', 'ExpiredToken', 'TokenRefreshRequired'])

function explainCredentials({ code, message: problem }: AwsError): Explanation {
  const fault = expiredCodes.has(code) ? 'expired' : code === '' ? 'missing' : 'rejected'
  return { reason: 'permission', problem, remedy: credentialsRemedy(fault) }
}

/** How working credentials get to where the workers of this host look for them. */
export function credentialsRemedy(fault: 'expired' | 'missing' | 'rejected'): string {
  const advice = credentialsAdvice()
  if (advice === undefined) return remedies[fault]
  return fault === 'missing' ? advice : installedRemedies[fault]
}

const remedies = {
  expired:
    'replace them in the same place; running workers pick up new ones in the shared file automatically',
  missing:
    'put them into ~/.aws/credentials or into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or attach a role to the instance',
  rejected: 'copy the access key, the secret key and the session token again, all three from the same place',
}

const installedRemedies = {
  expired: `install new ones with "${credentialsCommand}"; running workers pick them up (those of an instance role are refreshed automatically: check the clock)`,
  rejected: `copy all three again, access key, secret key and session token, and install them with "${credentialsCommand}"`,
}

function explainSettings({ code, bucketRegion, message: problem }: AwsError): Explanation {
  if (code === '') {
    const remedy = 'correct AWS_ENDPOINT_URL, such as http://127.0.0.1:4566, or unset it to use Amazon itself'
    return { reason: 'settings', problem, remedy }
  }
  const region = bucketRegion === undefined ? '' : `: the bucket is in ${bucketRegion}`
  return { reason: 'settings', problem, remedy: `check the settings "region", "bucket" and "queue"${region}` }
}

function explainHost({ code, message: problem }: AwsError): Explanation {
  if (code === '')
    return { reason: 'unavailable', problem, remedy: 'check name resolution and the limits of this machine' }
  const remedy = 'set the clock, for example with "sudo timedatectl set-ntp true"'
  return { reason: 'settings', problem, remedy }
}

function unavailable(problem: string, address: string | undefined): Explanation {
  const where = address === undefined ? '' : ` at ${address}`
  const remedy = `check the network, the region and AWS_ENDPOINT_URL, or wait if the service${where} is down`
  return { reason: 'unavailable', problem, remedy }
}

import type { ExitReason } from '../daemon/exit-codes.ts'
import { describeFault, type Fault } from './errors.ts'

/** A fault in words for a person who can do something about it. */
export interface Explanation {
  /** decides the exit code */
  readonly reason: ExitReason
  /** what is wrong, as a clause without a full stop */
  readonly wrong: string
  /** what to do, as a clause that may follow a colon */
  readonly remedy: string
}

/**
 * @param options.rights what the credentials need for it, such as `sqs:CreateQueue`
 * @param options.missing the remedy when the thing itself is not there
 * @param options.address where the service was looked for, if that is known
 */
export function explainFault(
  fault: Fault,
  options: { rights: string; missing: string; address?: string | undefined },
): Explanation {
  const said = describeFault(fault)
  switch (fault.kind) {
    case 'credentials':
      return explainCredentials(fault)
    case 'denied': {
      const remedy = `give the credentials or the instance role the right ${options.rights}`
      return { reason: 'rights', wrong: `access is denied (${said})`, remedy }
    }
    case 'missing':
    case 'gone':
      if (fault.code === 'UnknownError') return unreachable('what answers is not AWS', options.address)
      return { reason: 'settings', wrong: 'it does not exist', remedy: options.missing }
    case 'stopped':
      return unreachable('no answer came in time', options.address)
    case 'throttle':
      return { reason: 'unavailable', wrong: `too many requests (${said})`, remedy: 'try again in a minute' }
    default:
      return fault.code === 'ERR_INVALID_URL' ? wrongAddress : unreachable(said, options.address)
  }
}

const expired = new Set(['ExpiredTokenException', 'ExpiredToken', 'TokenRefreshRequired'])
const skewed = new Set(['RequestTimeTooSkewed', 'RequestExpired'])

function explainCredentials(fault: Fault): Explanation {
  if (skewed.has(fault.code)) {
    const remedy = 'set the clock right, such as with "sudo timedatectl set-ntp true"'
    return { reason: 'settings', wrong: `this machine's clock is wrong (${describeFault(fault)})`, remedy }
  }
  if (expired.has(fault.code)) {
    const remedy = 'put new ones where these came from; running workers take them up by themselves'
    return { reason: 'rights', wrong: `the credentials have expired (${fault.code})`, remedy }
  }
  if (fault.code === 'CredentialsProviderError') {
    const remedy =
      'put them into ~/.aws/credentials or into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the instance a role'
    return { reason: 'rights', wrong: 'there are no AWS credentials', remedy }
  }
  const remedy = 'copy the access key, the secret key and the session token again, all three from one place'
  return { reason: 'rights', wrong: `AWS does not accept the credentials (${describeFault(fault)})`, remedy }
}

const wrongAddress: Explanation = {
  reason: 'settings',
  wrong: 'the address of the service is not a URL',
  remedy: 'correct AWS_ENDPOINT_URL, such as http://127.0.0.1:4566, or take it away for Amazon itself',
}

function unreachable(said: string, address: string | undefined): Explanation {
  const where = address === undefined ? 'the service' : address
  return {
    reason: 'unavailable',
    wrong: `${where} cannot be used (${said})`,
    remedy: 'look at the network, at the region and at AWS_ENDPOINT_URL, or wait if the service is down',
  }
}

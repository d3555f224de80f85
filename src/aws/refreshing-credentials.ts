import type { AwsCredentialIdentity, AwsCredentialIdentityProvider } from '@smithy/types'

type Properties = Parameters<AwsCredentialIdentityProvider>[0]

/** Where credentials come from, in the order in which they are tried. */
export interface CredentialSources {
  /** the shared files, which people edit */
  readonly files: AwsCredentialIdentityProvider
  /** a container's or an instance's role */
  readonly fallback: AwsCredentialIdentityProvider
}

interface Obtained {
  readonly credentials: AwsCredentialIdentity
  readonly source: keyof CredentialSources
}

/** The SDK asks a provider again when less is left until the credentials expire. */
export const refreshMs = 5 * 60_000
/** The shared files are looked at so often, whatever source is in use. */
const lookMs = 10_000
/** A refresh is waited for so long while the credentials at hand are still valid … */
const patienceMs = 2_000
/** … and so long when they are not: STS, the instance's metadata or a credential_process may never answer. */
const maxWaitMs = 30_000
/** So many refreshes that do not answer may hang at once: each may be a process of its own. */
const maxHanging = 3

/**
 * Credentials that several clients share, and that are never in the way of a request for longer than half a minute.
 *
 *     fresh ── ten seconds, or the expiry comes near ──► refreshing ──► fresh
 *                                                          │
 *                                     fails or hangs: the old ones are used while they are valid
 *
 * The files take precedence. They may be empty for a moment while somebody writes them, so they are left for the fallback only
 * when they had no credentials at two looks, ten seconds apart; and looked at again while the fallback is in use.
 */
export class RefreshingCredentials {
  readonly #sources: CredentialSources
  #current: Obtained | undefined
  /** times are monotonic ms */
  #lookedAt = 0
  #filesFailedAt: number | undefined
  #pending: { readonly obtained: Promise<Obtained>; readonly since: number } | undefined
  #hanging = 0
  #refreshes = 0
  #newest = 0

  constructor(sources: CredentialSources) {
    this.#sources = sources
  }

  /** @throws what the sources throw, or an error of the same name when they do not answer */
  async get(properties?: Properties): Promise<AwsCredentialIdentity> {
    const current = this.#current
    if (current && this.#isFresh(current)) return current.credentials
    const { obtained } = this.#refresh(properties)
    const valid = current && !isExpiring(current.credentials, 0) ? current.credentials : undefined
    try {
      return (await within(valid ? patienceMs : maxWaitMs, obtained)).credentials
    } catch (error) {
      if (valid) return valid
      throw error
    }
  }

  #isFresh({ credentials, source }: Obtained): boolean {
    if (isExpiring(credentials, refreshMs)) return false
    return source === 'files' || performance.now() - this.#lookedAt < lookMs
  }

  /** One at a time, unless it hangs. */
  #refresh(properties: Properties) {
    const isStale = this.#pending !== undefined && performance.now() - this.#pending.since >= maxWaitMs
    if (this.#pending && !(isStale && this.#hanging < maxHanging)) return this.#pending
    const started = { obtained: this.#obtain(properties), since: performance.now() }
    this.#pending = started
    const forget = () => {
      if (this.#pending === started) this.#pending = undefined
    }
    started.obtained.then(forget, forget)
    return started
  }

  async #obtain(properties: Properties): Promise<Obtained> {
    const number = ++this.#refreshes
    this.#hanging++
    try {
      const obtained = await this.#fromSources(properties)
      // One that hung may answer after a later one.
      if (number > this.#newest) {
        this.#newest = number
        this.#current = obtained
      }
      return obtained
    } finally {
      this.#hanging--
    }
  }

  async #fromSources(properties: Properties): Promise<Obtained> {
    this.#lookedAt = performance.now()
    try {
      const credentials = await this.#sources.files(properties)
      this.#filesFailedAt = undefined
      return { credentials, source: 'files' }
    } catch (error) {
      const current = this.#current
      if (current?.source === 'files' && this.#areFilesMissed()) throw error
      if (current?.source === 'fallback' && !isExpiring(current.credentials, refreshMs)) return current
      return { credentials: await this.#sources.fallback(properties), source: 'fallback' }
    }
  }

  /** Whether the files, which have had credentials, may only be written at the moment. */
  #areFilesMissed(): boolean {
    this.#filesFailedAt ??= performance.now()
    return performance.now() - this.#filesFailedAt < lookMs
  }
}

export function isExpiring({ expiration }: AwsCredentialIdentity, withinMs: number): boolean {
  return expiration !== undefined && expiration.getTime() - Date.now() < withinMs
}

/** @throws {Error} at the deadline, by the name of the SDK's own errors about credentials */
async function within<T>(ms: number, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const message = `no credentials within ${ms / 1000} s`
  const timer = setTimeout(() => {
    reject(Object.assign(new Error(message), { name: 'CredentialsProviderError' }))
  }, ms)
  return Promise.race([work, promise]).finally(() => clearTimeout(timer))
}

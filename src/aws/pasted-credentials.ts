import { ImgpipeError } from '../host/exit-codes.ts'
import { expiryKey } from './shared-credentials.ts'

/** Credentials as a person has copied them. */
export interface PastedCredentials {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly sessionToken?: string
  readonly expiration?: Date
}

type Field = 'accessKeyId' | 'secretAccessKey' | 'sessionToken' | 'expiration'

const fields: Readonly<Record<string, Field>> = {
  aws_access_key_id: 'accessKeyId',
  aws_secret_access_key: 'secretAccessKey',
  aws_session_token: 'sessionToken',
  aws_security_token: 'sessionToken',
  aws_credential_expiration: 'expiration',
  [expiryKey]: 'expiration',
}
const names = { accessKeyId: 'access key ID', secretAccessKey: 'secret access key' } as const
/** https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html: temporary ones begin with ASIA. */
const accessKeyOfAws = /^A[KS]IA[A-Z0-9]{16}$/
const secretLength = 40
const again = 'copy the whole block again'

/**
 * Reads what AWS, learner labs and tools give to copy: the lines of a credentials file, with or without their section, and
 * those for a shell (`export`), cmd.exe (`set`) and PowerShell (`$Env:`).
 *
 * @param profile whose section is taken; default: `default`, else the only one there is
 * @throws {ImgpipeError} `permission` for what cannot be credentials
 */
export function parsePastedCredentials(text: string, profile?: string): PastedCredentials {
  const found = fieldsOf(linesOfProfile(text, profile))
  const accessKeyId = required(found, 'accessKeyId')
  const secretAccessKey = required(found, 'secretAccessKey')
  const { sessionToken } = found
  for (const [name, value] of Object.entries(found)) {
    if (!/^[\x21-\x7e]+$/.test(value))
      throw invalid(`The ${words(name)} has a character that none can have: ${again}.`)
  }
  if (accessKeyOfAws.test(accessKeyId) && secretAccessKey.length !== secretLength) {
    const length = `${secretAccessKey.length} characters, not ${secretLength}`
    throw invalid(`The secret access key has ${length}: ${again}.`)
  }
  if (accessKeyId.startsWith('ASIA') && sessionToken === undefined) {
    const kind = `${accessKeyId.slice(0, 4)}… is the key of temporary credentials`
    throw invalid(`The session token is missing, and ${kind}: ${again}, with the line aws_session_token.`)
  }
  const expiration = expirationOf(found.expiration)
  return {
    accessKeyId,
    secretAccessKey,
    ...(sessionToken && { sessionToken }),
    ...(expiration && { expiration }),
  }
}

/** The section of a profile. Lines for a shell have none. */
function linesOfProfile(text: string, profile: string | undefined): string[] {
  const sections = new Map<string | undefined, string[]>()
  let name: string | undefined
  for (const line of text.replace(/^\uFEFF/, '').split(/\r\n|\r|\n/)) {
    const header = /^\s*\[\s*(?:profile\s+)?([^\]]*?)\s*\]\s*$/.exec(line)?.[1]
    if (header !== undefined) name = header
    sections.set(name, [...(sections.get(name) ?? []), line])
  }
  const named = [...sections.keys()].filter((each) => each !== undefined)
  if (profile === undefined && named.length === 0) return sections.get(undefined) ?? []
  const wanted = profile ?? (named.length === 1 ? named[0] : 'default')
  const lines = sections.get(wanted)
  if (lines) return lines
  const list =
    named.length === 0 ? 'there are no sections' : `there are ${named.map((each) => `[${each}]`).join(', ')}`
  throw invalid(`There is no section [${wanted}] (${list}): choose one with --profile.`)
}

function fieldsOf(lines: readonly string[]): Partial<Record<Field, string>> {
  const found: Partial<Record<Field, string>> = {}
  let last: Field | undefined
  for (const line of lines) {
    const [, name = '', value = ''] = /^\s*(?:export\s+|set\s+"?|\$env:)?(\w+)\s*=\s*(.*)$/i.exec(line) ?? []
    const field = fields[name.toLowerCase()]
    // Terminals break the long token over several lines.
    const isContinued =
      field === undefined && last === 'sessionToken' && /^\s*[\w+/-]+={0,2}["']?;?\s*$/.test(line)
    if (field) found[field] = bare(value)
    else if (isContinued) found.sessionToken = `${found.sessionToken ?? ''}${bare(line)}`
    if (!isContinued) last = field
  }
  return found
}

/** Without the quotes of shells and the semicolon of PowerShell. */
function bare(value: string): string {
  return value
    .trim()
    .replace(/;$/, '')
    .trim()
    .replace(/^["']|["']$/g, '')
}

function required(found: Partial<Record<Field, string>>, field: keyof typeof names): string {
  const value = found[field]
  if (value) return value
  const lines = 'aws_access_key_id=…, aws_secret_access_key=… and, for temporary ones, aws_session_token=…'
  const nothing = Object.keys(found).length === 0
  if (nothing) throw invalid(`These are no credentials: expected the lines ${lines}.`)
  throw invalid(`The ${names[field]} is missing: ${again}.`)
}

function expirationOf(text: string | undefined): Date | undefined {
  const date = new Date(text ?? Number.NaN)
  return Number.isNaN(date.getTime()) ? undefined : date
}

function words(field: string): string {
  return field.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
}

function invalid(message: string): ImgpipeError {
  return new ImgpipeError('permission', message)
}

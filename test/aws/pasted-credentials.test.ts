import { expect, test } from 'vitest'
import { parsePastedCredentials } from '../../src/aws/pasted-credentials.ts'

const id = 'ASIAIOSFODNN7EXAMPLE'
const secret = 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'
const token = `${'FwoGZXIvYXdzEJr//////////wEaDExampleToken+/'.repeat(8)}=`
const block = `aws_access_key_id=${id}\naws_secret_access_key=${secret}\naws_session_token=${token}\n`
const parsed = { accessKeyId: id, secretAccessKey: secret, sessionToken: token }

test.each<[string, string]>([
  ['the block of a learner lab', `[default]\n${block}`],
  [
    'the same from Windows, indented, with a byte order mark',
    `\uFEFF  [default]\r\n${block.replaceAll('\n', '\r\n  ')}`,
  ],
  ['without its section', block],
  ['with spaces around the equals signs', block.replace(/^(\w+)=/gm, '$1 = ')],
  ['the only section, whatever its name', `[111122223333_Student]\n${block}`],
  ['the default among several', `[other]\naws_access_key_id=x\n[default]\n${block}`],
  [
    'for a shell',
    block.replace(/^(\w+)=(.*)$/gm, (_, name, value) => `export ${name.toUpperCase()}="${value}"`),
  ],
  ['for cmd.exe', block.replace(/^(\w+)=(.*)$/gm, (_, name, value) => `SET ${name.toUpperCase()}=${value}`)],
  [
    'for cmd.exe, quoted',
    block.replace(/^(\w+)=(.*)$/gm, (_, name, value) => `set "${name.toUpperCase()}=${value}"`),
  ],
  [
    'for PowerShell',
    block.replace(/^(\w+)=(.*)$/gm, (_, name, value) => `$Env:${name.toUpperCase()}="${value}"`),
  ],
  [
    'for PowerShell, with semicolons',
    block.replace(/^(\w+)=(.*)$/gm, (_, name, value) => `$env:${name.toUpperCase()} = '${value}';`),
  ],
  [
    'a token that the terminal has broken',
    `[default]\n${block.replace(token, `${token.slice(0, 80)}\n${token.slice(80, 160)}\n${token.slice(160)}`)}`,
  ],
  ['with other lines between', `# copied today\n[default]\nregion=us-east-1\n${block}output=json\n`],
])('%s', (_name, text) => {
  expect(parsePastedCredentials(text)).toEqual(parsed)
})

test('a section by its name, and when they expire', () => {
  const text = `[default]\naws_access_key_id=x\n[lab]\n${block}x_security_token_expires=2026-11-22T20:00:00Z\n`
  expect(parsePastedCredentials(text, 'lab')).toEqual({
    ...parsed,
    expiration: new Date('2026-11-22T20:00:00Z'),
  })
  const exported = `${block}AWS_CREDENTIAL_EXPIRATION=2026-11-22T20:00:00+00:00`
  expect(parsePastedCredentials(exported).expiration).toEqual(new Date('2026-11-22T20:00:00Z'))
})

test('long-lived keys have no session token', () => {
  const text = `aws_access_key_id=AKIAIOSFODNN7EXAMPLE\naws_secret_access_key=${secret}`
  expect(parsePastedCredentials(text)).toEqual({
    accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
    secretAccessKey: secret,
  })
})

test.each<[string, string, string | undefined, RegExp]>([
  ['nothing', '', undefined, /^These are no credentials: expected the lines aws_access_key_id=…/],
  ['another text', 'ssh-rsa AAAA user@host', undefined, /^These are no credentials/],
  [
    'no secret',
    `aws_access_key_id=${id}\n`,
    undefined,
    /^The secret access key is missing: copy the whole block again\.$/,
  ],
  ['no key ID', `aws_secret_access_key=${secret}\n`, undefined, /^The access key ID is missing/],
  [
    'no session token',
    block.replace(/aws_session_token.*/, ''),
    undefined,
    /^The session token is missing, and ASIA… is the key of temporary/,
  ],
  [
    'a cut secret',
    block.replace(secret, secret.slice(0, 30)),
    undefined,
    /^The secret access key has 30 characters, not 40/,
  ],
  [
    'a placeholder',
    block.replace(token, '…'),
    undefined,
    /^The session token has a character that none can have/,
  ],
  [
    'no such section',
    `[default]\n${block}`,
    'lab',
    /^There is no section \[lab\] \(there are \[default\]\): choose one with --profile\.$/,
  ],
  [
    'several, none of them the default',
    `[a]\n${block}[b]\n${block}`,
    undefined,
    /\[default\] \(there are \[a\], \[b\]\)/,
  ],
])('%s is refused', (_name, text, profile, message) => {
  expect(() => parsePastedCredentials(text, profile)).toThrow(
    expect.objectContaining({ reason: 'permission', message: expect.stringMatching(message) }),
  )
})

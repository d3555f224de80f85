import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fromIni } from '@aws-sdk/credential-providers'
import { afterAll, expect, test } from 'vitest'
import { parseSharedCredentials, sectionOf } from '../../src/aws/shared-credentials.ts'

const directory = mkdtempSync(join(tmpdir(), 'imgpipe-shared-'))
afterAll(() => rmSync(directory, { recursive: true }))

/** What the SDK itself finds in the file. */
async function keyForSdk(text: string, profile: string): Promise<string | undefined> {
  const filepath = join(directory, 'credentials')
  writeFileSync(filepath, text)
  const provider = fromIni({ profile, filepath, configFilepath: '/dev/null', ignoreCache: true })
  return provider().then(
    ({ accessKeyId }) => accessKeyId,
    () => undefined,
  )
}

const keys = 'aws_access_key_id=KEY\naws_secret_access_key=S\n'

test.each<[string, string, string, string | undefined]>([
  ['a section', `[default]\n${keys}`, 'default', 'KEY'],
  ['a name in spaces', `[ default ]\n${keys}`, 'default', undefined],
  ['the prefix of the configuration file', `[profile lab]\n${keys}`, 'lab', undefined],
  [
    'a section twice',
    '[default]\naws_access_key_id=KEY\n[x]\n[default]\naws_secret_access_key=S',
    'default',
    'KEY',
  ],
  ['spaces', `  [default]\r\n aws_access_key_id = KEY\r\naws_secret_access_key =S\r\n`, 'default', 'KEY'],
  ['another section', `[lab]\n${keys}`, 'default', undefined],
  ['no section', keys, 'default', undefined],
  [
    'exports',
    `[default]\nexport AWS_ACCESS_KEY_ID=KEY\nexport AWS_SECRET_ACCESS_KEY=S`,
    'default',
    undefined,
  ],
  ['capitals', `[default]\nAWS_ACCESS_KEY_ID=KEY\nAWS_SECRET_ACCESS_KEY=S`, 'default', undefined],
  ['comments', `# keys\n[default] ; mine\n${keys}`, 'default', 'KEY'],
  ['a byte order mark', `\uFEFF[default]\n${keys}`, 'default', 'KEY'],
])('the keys that the SDK finds, and no others: %s', async (_name, text, profile, key) => {
  const section = sectionOf(parseSharedCredentials(text), profile)
  const values = section?.values ?? {}
  expect(values.aws_secret_access_key && values.aws_access_key_id).toBe(key)
  expect(await keyForSdk(text, profile)).toBe(key)
})

test('what only a shell understands is found', () => {
  const text = `${keys}[default]\nexport AWS_ACCESS_KEY_ID=KEY\nset AWS_X=1\n$Env:AWS_Y="1"`
  expect(parseSharedCredentials(text).shellLines).toEqual([4, 5, 6])
})

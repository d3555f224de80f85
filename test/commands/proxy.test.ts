import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { putImages } from '../pipeline/images.ts'
import { canRunAsNobody } from '../state/script.ts'
import { InstalledHost } from '../support/installed-host.ts'
import { ProxiedNetwork, roleKey } from '../support/proxied-network.ts'
import { TestCloud } from '../support/test-cloud.ts'
import { type Ended, imgpipe } from './imgpipe.ts'

const hasOpenssl = spawnSync('openssl', ['version']).status === 0
const canInstall = process.getuid?.() === 0 && canRunAsNobody()

describe.skipIf(!hasOpenssl)('on a host that reaches AWS only through a proxy (needs openssl)', () => {
  let cloud: TestCloud
  let network: ProxiedNetwork

  beforeAll(async () => {
    cloud = await TestCloud.start()
    await putImages(cloud, [{ key: '1.jpg', car: 99, lines: ['TAXI'] }])
  })
  afterAll(() => cloud.stop())
  beforeEach(async () => {
    network = await ProxiedNetwork.start(cloud.proxy.url)
  })
  afterEach(() => network.stop())

  function run(words: string[], more: Record<string, string> = {}): Promise<Ended> {
    return imgpipe(words, {
      ...cloud.environment(join(cloud.directory, 'state')),
      ...network.environment,
      ...more,
    })
  }

  /** The environment of a user who takes on a role: STS has to be asked first. */
  function withRole(): Record<string, string> {
    const config = join(cloud.directory, 'aws-config')
    const role = 'role_arn = arn:aws:iam::111122223333:role/worker\nsource_profile = own\n'
    const own = 'aws_access_key_id = OWN\naws_secret_access_key = s\n'
    writeFileSync(config, `[default]\nregion = us-east-1\n${role}[profile own]\n${own}`)
    return { AWS_CONFIG_FILE: config, AWS_ACCESS_KEY_ID: '', AWS_SECRET_ACCESS_KEY: '' }
  }

  test.each([
    [['setup']],
    [['doctor', '--timeout', '5', '--role', 'both']],
    [['plan']],
    [['detect']],
    [['read', '--once']],
    [['report', '--out', 'REPORT']],
  ])('%o goes through the proxy', async (words) => {
    const { code, text } = await run(
      words.map((word) => (word === 'REPORT' ? join(cloud.directory, 'report') : word)),
    )
    expect(code, text).toBe(0)
    expect(new Set(network.tunnels)).toEqual(new Set(['192.0.2.1:443']))
  })

  test.each([
    ['doctor', '--timeout=5'],
    ['plan', '--json'],
  ])('so does the request to STS for the credentials of a role: %s', async (...words) => {
    const { code, text } = await run(words, withRole())
    expect(code, text).toBe(0)
    expect([...network.keys]).toEqual(expect.arrayContaining(['OWN', roleKey]))
  })

  test('doctor says so when the proxy lets nobody through', async () => {
    const { HTTPS_PROXY = '' } = network.environment
    const refused = { HTTPS_PROXY: HTTPS_PROXY.replace('secret', 'wrong') }
    const { code, text } = await run(['doctor', '--timeout', '5'], refused)
    expect(code).toBe(69)
    expect(text).toMatch(/FAIL.*endpoint.*407/)
    const ofRole = await run(['doctor', '--timeout', '5'], { ...refused, ...withRole() })
    expect(ofRole.text).toMatch(/FAIL credentials +they cannot be obtained: .*407/)
  })

  test.runIf(canInstall)('pasted credentials are checked through it (as root)', async () => {
    const host = new InstalledHost()
    mkdirSync(dirname(host.credentialsFile), { recursive: true })
    const { AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, HOME, ...shared } = cloud.environment('/nowhere')
    const { code, text } = await host.run(['credentials'], {
      uid: 0,
      input: '[default]\naws_access_key_id=PASTED\naws_secret_access_key=s\naws_session_token=t\n',
      environment: { ...shared, ...network.environment, AWS_SHARED_CREDENTIALS_FILE: host.credentialsFile },
    })
    expect(code, text).toBe(0)
    expect(readFileSync(host.credentialsFile, 'utf8')).toContain('PASTED')
    expect([...network.keys]).toEqual(['PASTED'])
    host.remove()
  })
})

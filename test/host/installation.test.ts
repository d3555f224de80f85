import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { usePipeline } from '../../src/commands/pipeline.ts'
import {
  findInstallation,
  pipelineNames,
  requirePipelineName,
  unitEnvironment,
} from '../../src/host/installation.ts'

const root = mkdtempSync(join(tmpdir(), 'imgpipe-installation-'))
const settingsDir = join(root, 'etc/imgpipe')
const stateDir = join(root, 'var/lib/imgpipe')
mkdirSync(settingsDir, { recursive: true })
for (const name of ['imgpipe', 'second', 'runs', 'with.dot'])
  writeFileSync(join(settingsDir, `${name}.json`), '{}')
writeFileSync(join(settingsDir, 'imgpipe.env'), 'A=1\nAWS_ENDPOINT_URL=http://all\nIMGPIPE_LABEL=Car\n')
writeFileSync(join(settingsDir, 'second.env'), 'AWS_ENDPOINT_URL=http://second\nIMGPIPE_LABEL=Bus\n')
afterAll(() => rmSync(root, { recursive: true }))

const caller = {
  PATH: '/bin',
  IMGPIPE_HOST_ROOT: root,
  AWS_PROFILE: 'mine',
  https_proxy: 'http://proxy',
  A: '1',
}
const installation = findInstallation(caller)
if (!installation) throw new Error('not found')
const shared = {
  PATH: '/bin',
  IMGPIPE_HOST_ROOT: root,
  HOME: stateDir,
  A: '1',
  AWS_SHARED_CREDENTIALS_FILE: join(settingsDir, 'credentials'),
  AWS_CONFIG_FILE: join(settingsDir, 'aws-config'),
}

test("the units' environment is made of their files, and of nothing that the caller has for itself", () => {
  const { variables, ignored } = unitEnvironment(installation, undefined, caller)
  expect(variables).toEqual({
    ...shared,
    AWS_ENDPOINT_URL: 'http://all',
    IMGPIPE_LABEL: 'Car',
    IMGPIPE_CONFIG: join(settingsDir, 'imgpipe.json'),
  })
  expect(ignored).toEqual(['AWS_PROFILE', 'https_proxy'])
})

test('a further pipeline has its own file in addition, which takes precedence', () => {
  expect(unitEnvironment(installation, 'second', caller).variables).toEqual({
    ...shared,
    AWS_ENDPOINT_URL: 'http://second',
    IMGPIPE_LABEL: 'Bus',
    IMGPIPE_CONFIG: join(settingsDir, 'second.json'),
    IMGPIPE_STATE_DIR: join(stateDir, 'second'),
  })
})

test('a command for a further pipeline keeps what the caller has set, not what the common file has', () => {
  const environment: Record<string, string | undefined> = {
    IMGPIPE_HOST_ROOT: root,
    AWS_ENDPOINT_URL: 'http://all',
    IMGPIPE_LABEL: 'Truck',
  }
  usePipeline('second', environment)
  expect(environment).toMatchObject({
    AWS_ENDPOINT_URL: 'http://second',
    IMGPIPE_LABEL: 'Truck',
    IMGPIPE_CONFIG: join(settingsDir, 'second.json'),
    IMGPIPE_STATE_DIR: join(stateDir, 'second'),
  })
})

test('further pipelines are those whose name can be one', () => {
  expect(pipelineNames(installation)).toEqual(['second'])
})

test.each(['runs', 'detector', 'reader', 'imgpipe', '', '../x', 'a b', '-x', 'results.txt'])(
  'no pipeline can be called "%s"',
  (name) => {
    const error = expect.objectContaining({
      reason: 'usage',
      message: expect.stringContaining(`is "${name}"`),
    })
    expect(() => requirePipelineName(name)).toThrow(error)
  },
)

test('elsewhere there is none, and no pipelines', () => {
  expect(() => usePipeline('second', {})).toThrow(
    /^--pipeline is for hosts that deploy\/install\.sh has set up/,
  )
})

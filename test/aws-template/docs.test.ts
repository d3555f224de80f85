import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { stackOf } from './stack.ts'
import { readTemplate, table, text } from './template.ts'

/** docs/aws.md against the template and the real AWS CLI. */
const project = new URL('../../', import.meta.url).pathname
const page = readFileSync(join(project, 'docs/aws.md'), 'utf8')
const blocks = [...page.matchAll(/^```\n(.*?)^```$/gms)].map(([, block = '']) => block.replace(/\\\n */g, ''))
const commands = blocks
  .flatMap((block) => block.split('\n'))
  .filter((line) => /^(IMAGE=\$\()?aws /.test(line))
const deploys = commands.filter((command) => command.startsWith('aws cloudformation deploy'))

describe('every command of the page is accepted by the AWS CLI', () => {
  const hasCli = spawnSync('aws', ['--version']).status === 0
  let directory = ''
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'imgpipe-docs-'))
    symlinkSync(join(project, 'deploy'), join(directory, 'deploy'))
    mkdirSync(join(directory, 'dist'))
    writeFileSync(join(directory, 'dist/imgpipe-1.0.0-linux-x64.tar.gz'), '')
  })
  afterAll(() => rmSync(directory, { recursive: true }))

  // Nothing listens there. A command that gets that far has valid arguments, and its files exist.
  const environment = {
    ...process.env,
    AWS_ENDPOINT_URL: 'http://127.0.0.1:9',
    AWS_ACCESS_KEY_ID: 'a',
    AWS_SECRET_ACCESS_KEY: 's',
    AWS_MAX_ATTEMPTS: '1',
    IMAGE: 'ami-0123456789abcdef0',
  }

  test('there are some', () => expect(commands.length).toBeGreaterThan(8))

  test.skipIf(!hasCli).each(commands)('%s', (command) => {
    const offline = `curl() { echo 203.0.113.7; }\n${command.replaceAll('MY-BUCKET', 'my-bucket')}`
    const { stderr } = spawnSync('bash', ['-c', offline], {
      cwd: directory,
      env: environment,
      encoding: 'utf8',
    })
    expect(stderr).toMatch(/Could not connect to the endpoint URL|Connection was closed/)
  })
})

test.each(deploys)('the template accepts the parameters of: %s', (command) => {
  const given = command.replaceAll('$(curl -s https://checkip.amazonaws.com)', '203.0.113.7')
  const parameters = given
    .replace('$IMAGE', 'ami-0123456789abcdef0')
    .replace('MY-BUCKET', 'my-bucket')
    .split('--parameter-overrides ')[1]
    ?.split(' ')
    .map((pair) => pair.split('=') as [string, string])
  const release = given.includes('Archive=') ? { Repository: '', Tag: '' } : {}
  expect(() => stackOf({ ...release, ...Object.fromEntries(parameters ?? []) })).not.toThrow()
})

test('the launch names every parameter that has no default', () => {
  for (const command of deploys.slice(0, 2))
    for (const [name, rules] of Object.entries(table(readTemplate().Parameters)))
      if (!('Default' in table(rules))) expect(command).toContain(` ${name}=`)
})

function rowsBelow(heading: string): string[][] {
  const section = page.split(`\n## ${heading}\n`)[1]?.split('\n## ')[0] ?? ''
  return section
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) => line.split('|').slice(1, -1))
}

function names(cell = ''): string[] {
  return [...cell.matchAll(/`([A-Z]\w+)`/g)].map(([, name = '']) => name)
}

test('the table of parameters has each of them, in order, with its default', () => {
  const documented = rowsBelow('Parameters').flatMap(([cell, defaults = '']) => {
    const values = defaults.split(',').map((value) => value.trim().replaceAll('`', ''))
    return names(cell).map((name, index) => [name, values[index] ?? values[0]])
  })
  const declared = Object.entries(table(readTemplate().Parameters)).map(([name, rules]) => {
    const { Default } = table(rules)
    return [name, Default === undefined ? 'required' : text(Default) === '' ? 'empty' : text(Default)]
  })
  expect(documented.toSorted()).toEqual(declared.toSorted())
})

test('the tables of resources and alarms name what the template has', () => {
  const resources = stackOf().resources
  for (const name of rowsBelow('Resources created').flatMap(([cell]) => names(cell)))
    expect(resources).toHaveProperty(name)
  const alarms = Object.keys(resources).filter((name) => resources[name]?.type === 'AWS::CloudWatch::Alarm')
  expect(rowsBelow('Alarms and logs').flatMap(([cell]) => names(cell))).toEqual(
    expect.arrayContaining(alarms),
  )
})

test('the table of updates has every parameter that can change', () => {
  const rows = rowsBelow('Update the stack').flatMap(([cell]) => names(cell))
  const fixed = ['VpcId', 'InstanceProfile'] // with SubnetId; never changes in an account
  const parameters = Object.keys(table(readTemplate().Parameters)).filter((name) => !fixed.includes(name))
  expect(rows.toSorted()).toEqual(parameters.toSorted())
})

test('reasons that imgpipe writes itself are quoted as it writes them', () => {
  const sources = [
    JSON.stringify(readTemplate()),
    readFileSync(join(project, 'deploy/aws/results-volume.sh'), 'utf8'),
    readFileSync(join(project, 'deploy/lib/preflight.sh'), 'utf8'),
  ].join('\n')
  for (const reason of [
    'the installation did not finish within 25 minutes',
    'contains no deploy/install.sh',
    'a release archive for its processor',
    'is not available after',
    'Specify ',
  ]) {
    expect(page).toContain(reason)
    expect(sources).toContain(reason)
  }
})

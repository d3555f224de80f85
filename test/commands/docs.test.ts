import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { pages } from '../../scripts/write-docs.ts'
import { createProgram } from '../../src/commands/program.ts'
import { visibleCommands } from '../../src/commands/visible-commands.ts'
import { statementsOf } from '../aws-template/iam.ts'
import { stackOf } from '../aws-template/stack.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const documents = ['README.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)].filter(
  (name) => name.endsWith('.md'),
)
const commands = new Map(
  visibleCommands(createProgram()).map((command) => [
    command.name(),
    command.options.map(({ long }) => long),
  ]),
)

function textOf(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

function all(text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)].map(([, found = '']) => found)
}

it.each(Object.entries(pages()))('%s is as "npm run docs" writes it', (path, text) => {
  expect(textOf(path)).toBe(text)
})

describe.each(documents)('%s', (document) => {
  const text = textOf(document)

  it('links to existing files and headings', () => {
    for (const link of all(text, /\]\(([^)\s]+)\)/g).filter((link) => !/^https?:/.test(link))) {
      const [path = '', heading] = link.split('#')
      const target = path === '' ? document : join(dirname(document), path)
      expect(existsSync(join(root, target)), link).toBe(true)
      if (heading !== undefined) expect(anchorsOf(textOf(target)), link).toContain(heading)
    }
  })

  it('names files that exist', () => {
    const files = all(text, /`((?:src|test|scripts|bench|deploy|samples|config)\/[\w./@-]+\.\w+)`/g)
    expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([])
  })

  it('names npm scripts that exist', () => {
    const { scripts } = JSON.parse(textOf('package.json'))
    const named = all(text, /\bnpm run ([\w:]+)/g)
    expect(named.filter((name) => !(name in scripts))).toEqual([])
  })

  it('names commands and options that exist', () => {
    const named = all(text, /(?:`imgpipe|sudo imgpipe|-u imgpipe imgpipe|npm run imgpipe --) ([a-z]+)/g)
    expect(named.filter((name) => !commands.has(name))).toEqual([])
    for (const [use, name = '', option = ''] of text.matchAll(/\bimgpipe (?:-- )?([a-z]+) (--[a-z-]+)/g))
      expect(commands.get(name), use).toContain(option)
  })
})

/** GitHub's names of headings. */
function anchorsOf(text: string): string[] {
  return all(text, /^#+ (.+)$/gm).map((heading) =>
    heading
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )
}

describe('the README', () => {
  const lines = textOf('README.md').split('\n')

  it('is short, and starts with the two commands', () => {
    expect(lines.length).toBeLessThanOrEqual(150)
    const commands = lines.filter((line) => line.startsWith('npm '))
    expect(commands[0]).toMatch(/^npm run demo /)
    expect(commands[1]).toMatch(/^npm test /)
  })

  it('lists every command and every page', () => {
    for (const name of commands.keys())
      expect(lines).toContainEqual(expect.stringContaining(`| \`${name}\` |`))
    for (const page of documents.slice(1)) expect(lines.join('\n')).toContain(`](${page})`)
  })
})

describe('the IAM policies in docs/operations.md', () => {
  const policies = all(textOf('docs/operations.md'), /^```json\n(.*?)^```/gms).map(policyOf)

  it.each(['DetectorRole', 'ReaderRole'])('allow what %s of the template allows, and no more', (role) => {
    const template = statementsOf(stackOf(), role, role === 'DetectorRole' ? 'detector' : 'reader')
    const wanted = template.flatMap(({ actions, resources }) => pairs(actions, resources))
    expect(policies[role === 'DetectorRole' ? 0 : 1]).toEqual(wanted.toSorted())
  })

  it('limit a role to a prefix, and let readers share results, as the template does', () => {
    const stack = stackOf({ Prefix: 'cars/', ResultsBucket: 'my-results' })
    const wanted = (isWanted: (pair: string) => boolean) =>
      statementsOf(stack, 'ReaderRole', 'reader')
        .flatMap(({ actions, resources }) => pairs(actions, resources))
        .filter((pair) => pair.startsWith('s3:') && isWanted(pair))
        .toSorted()
    expect(policies[2]).toEqual(wanted((pair) => pair.includes('njit-cs-643')))
    expect(policies[5]).toEqual(wanted((pair) => pair.includes('my-results')))
  })
})

interface PolicyStatement {
  Effect: string
  Action: string | string[]
  Resource: string | string[]
}

/** @returns each allowed action with its resource; placeholders replaced by what the template's test stack has */
function policyOf(json: string): string[] {
  const names = {
    'RESULTS-BUCKET': 'my-results',
    BUCKET: 'njit-cs-643',
    PREFIX: 'cars/',
    REGION: 'us-east-1',
    ACCOUNT: '111122223333',
  }
  let text = json.replace(/:imgpipe"/g, ':imgpipe-Queue"')
  for (const [placeholder, name] of Object.entries(names)) text = text.replaceAll(placeholder, name)
  const { Statement }: { Statement: PolicyStatement[] } = JSON.parse(text)
  expect(Statement.every(({ Effect }) => Effect === 'Allow')).toBe(true)
  return Statement.flatMap(({ Action, Resource }) => pairs([Action].flat(), [Resource].flat())).toSorted()
}

function pairs(actions: readonly string[], resources: readonly string[]): string[] {
  return actions.flatMap((action) => resources.map((resource) => `${action} ${resource}`))
}

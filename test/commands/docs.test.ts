import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { pages } from '../../scripts/write-docs.ts'
import { createProgram } from '../../src/commands/program.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const documents = ['README.md', ...readdirSync(join(root, 'docs')).map((name) => `docs/${name}`)].filter(
  (name) => name.endsWith('.md'),
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

  it('links to files and headings that exist', () => {
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

  it('names commands that exist', () => {
    const commands = createProgram().commands.map((command) => command.name())
    const named = all(text, /(?:`imgpipe|sudo imgpipe|npm run imgpipe --) ([a-z]+)/g)
    expect(named.filter((name) => !commands.includes(name))).toEqual([])
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
    for (const command of createProgram().commands)
      expect(lines).toContainEqual(expect.stringContaining(`| \`${command.name()}\` |`))
    for (const page of documents.slice(1)) expect(lines.join('\n')).toContain(`](${page})`)
  })
})

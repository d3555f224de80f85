/**
 * Fails when a file contains a word that the project replaces with a standard term, and names the term.
 *
 *   node scripts/check-words.ts
 *
 * Checks the names and contents (identifiers, comments, messages, prose) of all files in `checked` that Git does not
 * ignore. Add a word once it is gone everywhere; a correct use is an explicit `except`.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

interface Term {
  /** matched regardless of case */
  readonly avoid: RegExp
  readonly use: string
  /** Text in which the word is correct. */
  readonly except?: RegExp
}

export interface Finding {
  readonly place: string
  readonly found: string
  readonly use: string
}

const checked = ['src', 'docs', 'deploy', 'test', 'bench', 'scripts', 'tools', 'samples', 'README.md']
/** The list itself and its test. */
const exempt = new Set(['scripts/check-words.ts', 'test/structure/check-words.test.ts'])

/** The first two also match inside identifiers. */
const terms: readonly Term[] = [
  { avoid: /picture/i, use: 'image', except: /~\/Pictures\b/g },
  { avoid: /folder/i, use: 'directory' },
  { avoid: /\bin ?hand\b|InHand/i, use: 'in flight, in progress' },
  { avoid: /\bmade anew\b/i, use: 're-created' },
  { avoid: /\btroubles\b/i, use: 'outage, failure' },
  { avoid: /\bsurroundings?\b/i, use: 'environment' },
  { avoid: /\b(foretell|tell of|tells of)\b/i, use: 'report' },
  { avoid: /\bpassed over\b/i, use: 'skipped' },
  { avoid: /\bworks again\b/i, use: 'recovered' },
  { avoid: /\bcounts more than\b/i, use: 'takes precedence over' },
  { avoid: /\bsmall letters\b/i, use: 'lowercase' },
  { avoid: /\bat work on\b/i, use: 'running, processing' },
  { avoid: /\bnone of ours\b/i, use: 'not sent by imgpipe' },
  { avoid: /\bmanners\b/i, use: 'conventions' },
  { avoid: /\ball is right\b/i, use: 'all checks passed' },
  { avoid: /\bwhosoever\b/i, use: 'anyone who' },
  { avoid: /\bmasthead\b/i, use: 'header' },
  { avoid: /\blifeline\b/i, use: 'parent watch' },
  { avoid: /\byardstick\b/i, use: 'reference' },
  { avoid: /\baskew\b/i, use: 'rotated' },
  { avoid: /\bhopeless\b/i, use: 'fatal, permanent' },
  { avoid: /\b(henceforth|therein|thereof|lest|amiss)\b/i, use: 'plain English' },
]

/** @param text of the file `path`, which is checked too */
export function findWords(path: string, text: string): Finding[] {
  return [path, ...text.split('\n')].flatMap((line, number) =>
    terms.flatMap(({ avoid, use, except }) => {
      const [found] = avoid.exec(except === undefined ? line : line.replaceAll(except, '')) ?? []
      const place = number === 0 ? path : `${path}:${number}`
      return found === undefined ? [] : [{ place, found, use }]
    }),
  )
}

function filesOf(root: string): string[] {
  const list = execFileSync(
    'git',
    ['ls-files', '-z', '--cached', '--others', '--exclude-standard', '--', ...checked],
    { cwd: root, encoding: 'utf8' },
  )
  return list
    .split('\0')
    .filter((path) => path !== '' && !path.endsWith('.jpg') && !exempt.has(path))
    .filter((path) => existsSync(`${root}${path}`))
}

if (import.meta.main) {
  const root = fileURLToPath(new URL('..', import.meta.url))
  const findings = filesOf(root).flatMap((path) => findWords(path, readFileSync(`${root}${path}`, 'utf8')))
  for (const { place, found, use } of findings) console.error(`${place}: "${found}": use "${use}".`)
  if (findings.length > 0) process.exitCode = 1
}

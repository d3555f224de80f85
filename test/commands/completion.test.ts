import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { bashCompletion } from '../../src/commands/completion.ts'
import { createProgram } from '../../src/commands/program.ts'
import { visibleCommands } from '../../src/commands/visible-commands.ts'

const program = createProgram()
const directory = mkdtempSync(join(tmpdir(), 'imgpipe-completion-'))
writeFileSync(join(directory, 'settings.json'), '{}')
mkdirSync(join(directory, 'images'))
afterAll(() => rmSync(directory, { recursive: true }))

/** What a real bash would offer at the end of the line. */
function offered(...words: string[]): string[] {
  const ask = `cd '${directory}'
imgpipe() { [[ $* != runs ]] || printf '%s\\n' 'run  started' '20261122T174500Z-3f9a  x' '20261123T174500Z-aaaa  y'; }
COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')})
COMP_CWORD=${words.length - 1}
_imgpipe
printf '%s\\n' "\${COMPREPLY[@]}"`
  const script = `${bashCompletion(program)}\n${ask}`
  return execFileSync('bash', ['-c', script], { encoding: 'utf8' }).split('\n').filter(Boolean)
}

it('offers every command', () => {
  const commands = offered('imgpipe', '').filter((word) => !word.startsWith('-'))
  expect(commands.sort()).toEqual(
    [...visibleCommands(program).map((command) => command.name()), 'help'].sort(),
  )
})

it.each(visibleCommands(program).map((command) => command.name()))('offers every option of %s', (name) => {
  const { options = [] } = program.commands.find((command) => command.name() === name) ?? {}
  expect(offered('imgpipe', name, '--').sort()).toEqual([...options.map(({ long }) => long), '--help'].sort())
})

it.each([
  [
    ['imgpipe', 'd'],
    ['demo', 'detect', 'doctor'],
  ],
  [['imgpipe', 'sta'], ['status']],
  [
    ['imgpipe', '--config', ''],
    ['images', 'settings.json'],
  ],
  [['imgpipe', '--config', 'settings.json', 'se'], ['setup']],
  [['imgpipe', '--pipeline', 'second', 'se'], ['setup']],
  [
    ['imgpipe', 'credentials', '--from', ''],
    ['images', 'settings.json'],
  ],
  [
    ['imgpipe', 'doctor', '--role', ''],
    ['both', 'detector', 'reader'],
  ],
  [['imgpipe', 'doctor', '--role', '=', 're'], ['reader']],
  [
    ['imgpipe', 'doctor', '--role', '='],
    ['both', 'detector', 'reader'],
  ],
  [['imgpipe', 'demo', ''], ['images']],
  [['imgpipe', 'demo', '--out', 'i'], ['images']],
  [['imgpipe', 'local', '--port', ''], []],
  [
    ['imgpipe', 'results', ''],
    ['20261122T174500Z-3f9a', '20261123T174500Z-aaaa'],
  ],
  [['imgpipe', 'results', '20261123'], ['20261123T174500Z-aaaa']],
  [['imgpipe', 'report', '--run', '20261122'], ['20261122T174500Z-3f9a']],
  [['imgpipe', 'runs', '--delete', '20261122'], ['20261122T174500Z-3f9a']],
  [
    ['imgpipe', 'results', '--format', 'j'],
    ['json', 'jsonl'],
  ],
  [['imgpipe', 'help', 'rea'], ['read']],
  [['imgpipe', 'status', 'x'], []],
])('%o', (words, expected) => {
  expect(offered(...words).sort()).toEqual(expected)
})

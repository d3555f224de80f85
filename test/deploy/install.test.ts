import { expect, test } from 'vitest'
import { has, run } from './command.ts'

const script = 'deploy/install.sh'

test.skipIf(!has('shellcheck'))('shellcheck has nothing to say (shellcheck is there)', () => {
  const scripts = run('git', ['ls-files', '--cached', '--others', '--exclude-standard', 'deploy/*.sh']).said
  expect(run('shellcheck', scripts.trim().split('\n'))).toEqual({ status: 0, said: '' })
})

test('--help tells of every option that the script knows', () => {
  const { status, said } = run(script, ['--help'])
  expect(status).toBe(0)
  for (const option of ['role', 'volume', 'rollback', 'uninstall', 'purge', 'dry-run', 'help']) {
    expect(said).toContain(`--${option}`)
  }
})

test.each([
  [['--rôle', 'reader'], 'there is no option --rôle'],
  [['--role'], '--role needs a value'],
  [['--role', 'writer'], '--role is detector, reader or both, not "writer"'],
  [['reader'], 'there is no option reader'],
])('a mistake in the command line ends with 64 and one sentence: %s', (args, sentence) => {
  const { status, said } = run(script, args)
  expect(status).toBe(64)
  expect(said).toContain(sentence)
  expect(said.trim().split('\n')).toHaveLength(1)
})

test('a dry run of a removal changes nothing and says so', () => {
  const { status, said } = run(script, ['--purge', '--dry-run'])
  expect(status, said).toBe(0)
  expect(said).toContain('nothing was changed')
})

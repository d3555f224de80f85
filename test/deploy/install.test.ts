import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { has, project, run } from './command.ts'

const script = 'deploy/install.sh'

test.skipIf(!has('shellcheck'))('shellcheck finds nothing in any script (needs shellcheck)', () => {
  const scripts = ['deploy/*.sh', 'test/deploy/stand-ins/*']
  const files = run('git', ['ls-files', '--cached', '--others', '--exclude-standard', ...scripts]).said
  expect(run('shellcheck', files.trim().split('\n'))).toEqual({ status: 0, said: '' })
})

test('--help describes every option that the script knows', () => {
  const { status, said } = run(script, ['--help'])
  expect(status).toBe(0)
  const [, cases = ''] =
    /^read_options\(\) \{(.*?)^}/ms.exec(readFileSync(`${project}${script}`, 'utf8')) ?? []
  const options = new Set(cases.match(/(?<=^ +(.* \| )?)--[a-z-]+(?=\)| \|)/gm))
  expect(options.size).toBeGreaterThanOrEqual(11)
  for (const option of options) expect(said).toMatch(new RegExp(`^ +(-h, )?${option}\\b`, 'm'))
  expect(run(script, ['-h'])).toEqual({ status, said })
})

test.each([
  ['sh', [script]],
  ['bash', ['--posix', script]],
])('any shell will do to start it: %s', (shell, words) => {
  expect(run(shell, [...words, '--role', 'x'])).toMatchObject({
    status: 64,
    said: expect.stringMatching(/--role is/),
  })
  expect(run(shell, [...words, '--help'])).toMatchObject({
    status: 0,
    said: expect.stringMatching(/^Usage:/),
  })
})

test('commands in sbin are found with the PATH of an ordinary user', () => {
  const { stdout, stderr } = spawnSync(
    'bash',
    ['-c', `prefix=/nonexistent; . ${script}; command -v nologin`],
    {
      cwd: project,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
    },
  )
  expect(stdout, stderr).toMatch(/sbin\/nologin/)
})

test.each([
  [['--rôle', 'reader'], 'there is no option --rôle'],
  [['--role'], '--role needs a value'],
  [['--role', 'writer'], '--role is detector, reader or both, not "writer"'],
  [['reader'], 'there is no option reader'],
  [['--new-volume'], '--new-volume needs --volume DEVICE'],
  [['--use', '../x'], '--use takes a version such as 1.2.0-0123456789, not "../x"'],
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

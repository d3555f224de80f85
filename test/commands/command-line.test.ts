import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createProgram } from '../../src/commands/program.ts'
import { visibleCommands } from '../../src/commands/visible-commands.ts'
import { imgpipe } from './imgpipe.ts'

const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url))

describe('an error in the command line ends with 64 and one sentence', () => {
  it.each([
    [['detct'], /unknown command 'detct' \(Did you mean detect\?\)/],
    [['status', '--jsn'], /unknown option '--jsn' \(Did you mean --json\?\)/],
    [['detect', 'now'], /too many arguments for 'detect'/],
    [['demo', 'a', 'b'], /too many arguments for 'demo'/],
    [['status', '--config'], /'--config <file>' argument missing/],
    [['doctor', '--role', 'boss'], /Allowed choices are detector, reader, both/],
    [['doctor', '--timeout', '0'], /--timeout must be a number of seconds/],
    [['local', '--port', 'x'], /--port must be a whole number from 0 to 65535, but is "x"/],
    [['local', '--max-rps', '-1'], /--max-rps must be a number of requests per second/],
    [['report', '--max-images', '0'], /--max-images must be a whole number from 1 up/],
    [['runs', '--delete'], /'--delete <id>' argument missing/],
    [['demo', '/no/such/directory', '--out', '/dev/null/out'], /EEXIST|ENOTDIR|no such directory/],
  ])('%o', async (words, said) => {
    const { code, lines } = await imgpipe(words)
    expect(lines).toEqual([expect.stringMatching(/^imgpipe: /)])
    expect(lines[0]).toMatch(said)
    expect(code).toBe(words.includes('/dev/null/out') ? 74 : 64)
  })

  it('prints the help without a command', async () => {
    const { code, text } = await imgpipe([])
    expect([code, text]).toEqual([64, expect.stringContaining('Usage: imgpipe')])
  })
})

describe('help', () => {
  it.each(visibleCommands(createProgram()).map((command) => command.name()))(
    'of %s has examples',
    async (name) => {
      const { code, text } = await imgpipe([name, '--help'])
      expect(code).toBe(0)
      expect(text).toContain(`Usage: imgpipe ${name}`)
      expect(text).toMatch(/--config <file>[\s\S]*Examples:\n {2}.*imgpipe/)
    },
  )

  it('and the version end with 0', async () => {
    expect(await imgpipe(['--help'])).toMatchObject({ code: 0, text: expect.stringContaining('Commands:') })
    expect(await imgpipe(['--version'])).toMatchObject({
      code: 0,
      text: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    })
  })
})

describe('standard output', () => {
  function started(words: string[]) {
    const child = spawn(process.execPath, [cli, ...words], {
      env: { PATH: process.env.PATH, IMGPIPE_STATE_DIR: '/no/such/directory' },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    const said: string[] = []
    createInterface(child.stderr).on('line', (line) => said.push(line))
    return { child, said }
  }

  it.each([[['status']], [['status', '--watch']], [['--help']]])(
    'may be closed early by its reader: %o',
    async (words) => {
      const { child, said } = started(words)
      await once(child.stdout, 'data')
      child.stdout.destroy()
      const [code, signal] = await once(child, 'exit')
      expect({ code, signal, said }).toEqual({ code: 0, signal: null, said: [] })
    },
  )

  it('that cannot be written is reported', async () => {
    const child = spawn('sh', ['-c', `exec '${process.execPath}' '${cli}' --help >/dev/full`], {
      stdio: 'pipe',
    })
    const said: string[] = []
    createInterface(child.stderr).on('line', (line) => said.push(line))
    const [code] = await once(child, 'close')
    expect([code, said]).toEqual([74, [expect.stringContaining('ENOSPC')]])
  })
})

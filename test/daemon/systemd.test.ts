import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { describe, expect, onTestFinished, test } from 'vitest'
import { connectServiceManager, statusLine } from '../../src/daemon/systemd.ts'

describe('without a service manager', () => {
  test('nothing is loaded, and every call does nothing', async () => {
    const manager = await connectServiceManager({})
    manager.ready()
    manager.status('x')
    manager.alive()
    manager.extendTimeout(1000)
    manager.stopping()
  })
})

test.each([
  ['a plain line', 'a plain line'],
  ['two\nWATCHDOG=trigger', 'two\uFFFDWATCHDOG=trigger'],
  ['\u001b[31mred\u202e', '\uFFFD[31mred\uFFFD'],
  ['100%s %n', '100%s %n'],
  ['é'.repeat(300), `${'é'.repeat(199)}…`],
])('a status is one line that no terminal and no protocol acts on: %j', (text, line) => {
  expect(statusLine(text)).toBe(line)
})

const addon = spawnSync(process.execPath, ['--eval', 'require("sd-notify")']).status === 0
const python = spawnSync('python3', ['--version']).status === 0

/** Node has no datagram sockets of the kind that systemd listens on: Python is the other end. */
const listener = `
import socket, sys
listening = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listening.bind(sys.argv[1])
print("listening", flush=True)
while True:
    print(listening.recv(4096).decode().strip(), flush=True)
`

/** Runs `script` with a `manager` under a service manager. @returns what that one was told, in order */
async function told(script: string): Promise<string[]> {
  const folder = mkdtempSync(`${tmpdir()}/notify-`)
  const socket = `${folder}/socket`
  const python3 = spawn('python3', ['-c', listener, socket], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(async () => {
    python3.kill()
    await once(python3, 'exit')
    rmSync(folder, { recursive: true })
  })
  const lines: string[] = []
  let rest = ''
  const heard = (wanted: string) =>
    new Promise<void>((resolve) => {
      python3.stdout.on('data', () => lines.includes(wanted) && resolve())
    })
  python3.stdout.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n')
    rest = parts.pop() ?? ''
    lines.push(...parts)
  })
  await heard('listening')
  const source = new URL('../../src/daemon/systemd.ts', import.meta.url).href
  const program = `const { connectServiceManager } = await import(${JSON.stringify(source)})
    const manager = await connectServiceManager(process.env)
    ${script}
    manager.stopping()`
  const env = { ...process.env, NOTIFY_SOCKET: socket, WATCHDOG_USEC: '90000000' }
  const worker = spawn(process.execPath, ['--input-type=module', '--eval', program], {
    env,
    stdio: 'inherit',
  })
  await Promise.all([heard('STOPPING=1'), once(worker, 'exit')])
  return lines.slice(1)
}

describe.skipIf(!addon || !python)('under a service manager (sd-notify is built, python3 is there)', () => {
  test('it is told once that the worker is ready and stops, and both at once', async () => {
    expect(await told('manager.ready(); manager.ready(); manager.stopping()')).toEqual([
      'READY=1',
      'STOPPING=1',
    ])
  })

  test('the watchdog hears of the loop, but not of every turn of it', async () => {
    expect(await told('for (let turn = 0; turn < 1000; turn++) manager.alive()')).toEqual([
      'WATCHDOG=1',
      'STOPPING=1',
    ])
  })

  test('a worker that does not report keeps no watchdog quiet', async () => {
    const idle = 'await new Promise((resolve) => setTimeout(resolve, 2500))'
    expect(await told(idle)).toEqual(['STOPPING=1'])
  })

  test('of many status lines the first and the last are sent, and none in between', async () => {
    const many = `for (let n = 1; n <= 500; n++) manager.status('picture ' + n)
      await new Promise((resolve) => setTimeout(resolve, 1500))`
    expect(await told(many)).toEqual(['STATUS=picture 1', 'STATUS=picture 500', 'STOPPING=1'])
  })

  test('a start may be given more time', async () => {
    expect(await told('manager.extendTimeout(300_000)')).toEqual([
      'EXTEND_TIMEOUT_USEC=300000000',
      'STOPPING=1',
    ])
  })
})

test('under a service manager a missing addon is an error that names the remedy', async () => {
  const missing = `const { registerHooks } = await import('node:module')
    registerHooks({ resolve(name, context, next) { if (name === 'sd-notify') throw new Error('none'); return next(name, context) } })
    const { connectServiceManager } = await import(${JSON.stringify(new URL('../../src/daemon/systemd.ts', import.meta.url).href)})
    await connectServiceManager({ NOTIFY_SOCKET: '/run/x' }).catch((error) => console.log(error.exitCode, error.message))`
  const { stdout } = spawnSync(process.execPath, ['--input-type=module', '--eval', missing], {
    encoding: 'utf8',
  })
  expect(stdout).toMatch(/^78 .*sd-notify does not load in Node .*run deploy\/install\.sh again/)
})

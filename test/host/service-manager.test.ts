import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { describe, expect, onTestFinished, test } from 'vitest'
import { connectServiceManager, statusLine } from '../../src/host/service-manager.ts'

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

/** Runs `script` with a `manager` under a service manager. @returns its notifications, in order */
async function notifications(script: string): Promise<string[]> {
  const directory = mkdtempSync(`${tmpdir()}/notify-`)
  const socket = `${directory}/socket`
  const python3 = spawn('python3', ['-c', listener, socket], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(async () => {
    python3.kill()
    await once(python3, 'exit')
    rmSync(directory, { recursive: true })
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
  const program = `const { connectServiceManager } = await import(${source})
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
  test('READY and STOPPING are sent once, and at once', async () => {
    expect(await notifications('manager.ready(); manager.ready(); manager.stopping()')).toEqual([
      'READY=1',
      'STOPPING=1',
    ])
  })

  test('the watchdog is pinged by the loop, but not by every turn of it', async () => {
    expect(await notifications('for (let turn = 0; turn < 1000; turn++) manager.alive()')).toEqual([
      'WATCHDOG=1',
      'STOPPING=1',
    ])
  })

  test('a worker that does not report keeps no watchdog quiet', async () => {
    const idle = 'await new Promise((resolve) => setTimeout(resolve, 2500))'
    expect(await notifications(idle)).toEqual(['STOPPING=1'])
  })

  test('of many status lines the first and the last are sent, and none in between', async () => {
    const many = `for (let n = 1; n <= 500; n++) manager.status('image ' + n)
      await new Promise((resolve) => setTimeout(resolve, 1500))`
    expect(await notifications(many)).toEqual(['STATUS=image 1', 'STATUS=image 500', 'STOPPING=1'])
  })

  test('a start may be given more time', async () => {
    expect(await notifications('manager.extendTimeout(300_000)')).toEqual([
      'EXTEND_TIMEOUT_USEC=300000000',
      'STOPPING=1',
    ])
  })
})

const source = JSON.stringify(new URL('../../src/host/service-manager.ts', import.meta.url).href)

/** Runs `script` in a process of its own in which `import('sd-notify')` does what `addon` says. */
function runWithAddon(addon: string, script: string): string {
  const program = `const { registerHooks } = await import('node:module')
    registerHooks({ resolve(name, context, next) { if (name !== 'sd-notify') return next(name, context); ${addon} } })
    const { connectServiceManager } = await import(${source})
    ${script}`
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '--eval', program], {
    encoding: 'utf8',
  })
  return stdout + stderr
}

test('under a service manager a missing addon is an error that names the remedy', () => {
  const connect =
    "await connectServiceManager({ NOTIFY_SOCKET: '/run/x' }).catch((error) => console.log(error.exitCode, error.message))"
  expect(runWithAddon("throw new Error('none')", connect)).toMatch(
    /^78 .*sd-notify does not load in Node .*run deploy\/install\.sh again/,
  )
})

test('a pause that is over before its timer is set is no negative timeout, which Node warns about', () => {
  const stub = 'export default { watchdogInterval: () => 0, sendStatus: (text) => console.log(text) }'
  const addon = `return { url: 'data:text/javascript,' + encodeURIComponent(${JSON.stringify(stub)}), shortCircuit: true }`
  // Each look at the clock finds it 600 ms later: the second of quiet ends between two of them.
  const script = `let now = 0
    performance.now = () => (now += 600)
    const manager = await connectServiceManager({ NOTIFY_SOCKET: '/run/x' })
    manager.status('first')
    manager.status('last')
    await new Promise((resolve) => setTimeout(resolve, 50))`
  expect(runWithAddon(addon, script)).toBe('first\nlast\n')
})

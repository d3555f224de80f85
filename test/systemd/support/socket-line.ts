import { once } from 'node:events'
import { mkdir, rm } from 'node:fs/promises'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { workDirectory } from './base.ts'
import type { Machine } from './machine.ts'

const directory = `${workDirectory}/line`
const seenAs = '/srv/line'

/**
 * The only way from offline machines to the test's cloud: a UNIX socket in a directory that they share with the host, at which
 * systemd itself answers on 127.0.0.1 inside.
 */
export class SocketLine {
  static readonly bind = `${directory}:${seenAs}`
  readonly #server: Server
  readonly #port: number

  static async open(cloudUrl: string): Promise<SocketLine> {
    await rm(directory, { recursive: true, force: true })
    await mkdir(directory, { recursive: true })
    const port = Number(new URL(cloudUrl).port)
    const server = createServer((socket) => joined(socket, connect(port, '127.0.0.1')))
    server.listen(`${directory}/cloud`)
    await once(server, 'listening')
    return new SocketLine(server, port)
  }

  private constructor(server: Server, port: number) {
    this.#server = server
    this.#port = port
  }

  /** Makes the cloud answer in a machine, at the address that it has on the host. */
  async connect(machine: Machine): Promise<void> {
    const socket = `[Socket]\nListenStream=127.0.0.1:${this.#port}\n[Install]\nWantedBy=sockets.target\n`
    const proxy = `[Service]\nExecStart=/lib/systemd/systemd-socket-proxyd ${seenAs}/cloud\n`
    await machine.write('/etc/systemd/system/line.socket', socket)
    await machine.write('/etc/systemd/system/line.service', proxy)
    await machine.sh('systemctl daemon-reload && systemctl enable --now line.socket')
  }

  async close(): Promise<void> {
    this.#server.close()
    await rm(directory, { recursive: true, force: true })
  }
}

function joined(one: Socket, other: Socket): void {
  one.pipe(other).pipe(one)
  one.on('error', () => other.destroy())
  other.on('error', () => one.destroy())
}

import { connect, createServer, type Server, type Socket } from 'node:net'

const tickMs = 20
const sliceBytes = 8192

/**
 * A line of limited bandwidth before a server: all connections together get so many bytes a second in each direction,
 * in slices, first come, first served.
 */
export class SlowLine {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  static async start(target: string, bytesPerSecond: number): Promise<SlowLine> {
    const line = new SlowLine(new URL(target), bytesPerSecond)
    await new Promise<void>((resolve) => line.#server.listen(0, '127.0.0.1', resolve))
    return line
  }

  private constructor(target: URL, bytesPerSecond: number) {
    const [up, down] = [new Direction(bytesPerSecond), new Direction(bytesPerSecond)]
    this.#server = createServer((client) => {
      const server = connect(Number(target.port), target.hostname)
      for (const socket of [client, server]) {
        this.#sockets.add(socket)
        socket.on('close', () => this.#sockets.delete(socket))
      }
      up.carry(client, server)
      down.carry(server, client)
    })
  }

  get url(): string {
    const address = this.#server.address()
    return `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve))
    for (const socket of this.#sockets) socket.destroy()
    await closed
  }
}

class Direction {
  readonly #bytesPerTick: number
  readonly #waiting: (() => void)[] = []
  #budget = 0

  constructor(bytesPerSecond: number) {
    this.#bytesPerTick = (bytesPerSecond * tickMs) / 1000
    setInterval(() => this.#refill(), tickMs).unref()
  }

  carry(from: Socket, to: Socket): void {
    const end = () => to.destroy()
    from.on('error', end)
    from.on('close', end)
    from.on('data', (chunk: Buffer) => {
      from.pause()
      void this.#pass(chunk, to).then(() => from.resume())
    })
    from.on('end', () => to.end())
  }

  async #pass(chunk: Buffer, to: Socket): Promise<void> {
    for (let at = 0; at < chunk.length; at += sliceBytes) {
      while (this.#budget <= 0) await new Promise<void>((resolve) => this.#waiting.push(resolve))
      const slice = chunk.subarray(at, at + sliceBytes)
      this.#budget -= slice.length
      if (to.destroyed) return
      to.write(slice)
    }
  }

  #refill(): void {
    this.#budget = Math.min(this.#budget + this.#bytesPerTick, 5 * this.#bytesPerTick)
    while (this.#budget > 0 && this.#waiting.length > 0) {
      const next = this.#waiting.shift()
      this.#budget -= 1
      next?.()
    }
  }
}

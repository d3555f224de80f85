/**
 * What a worker tells the service manager that started it: ready, progress, still alive, stopping.
 *
 * Outside systemd (no `NOTIFY_SOCKET`) every call does nothing, and the native addon is not even looked for.
 * Under systemd a missing addon is an error: a `Type=notify` unit that never says READY would only time out.
 */
import type SdNotify from 'sd-notify'
import { ImgpipeError } from './exit-codes.ts'

/** Notifications are synchronous writes to a small socket buffer: a full one would block the event loop. */
const millisecondsBetweenNotifications = 1000
/** `systemctl status` shows one line; systemd itself cuts far later. */
const longestStatus = 200

/** The service manager as a worker sees it. No method throws; all may be called as often as one likes. */
export interface ServiceManager {
  /** Start-up is over and work can really be received; `systemctl start` returns. The first call counts. */
  ready(): void
  /**
   * One line for `systemctl status`. Control characters are replaced and long lines cut; at most one line a
   * second is sent, and of several within a second the last one.
   */
  status(text: string): void
  /**
   * The worker's loop has come round: it received something, or it knows why it waits. Pings the watchdog
   * (`WatchdogSec=`). No timer stands behind this, so a loop that hangs is ended by systemd: call it from the
   * loop itself, at least every 30 seconds, also between the steps of a long pause.
   */
  alive(): void
  /**
   * A oneshot unit has no watchdog; its `TimeoutStartSec=` slides instead: systemd gives the start at least
   * `milliseconds` more from now. Sent at most once a second.
   */
  extendTimeout(milliseconds: number): void
  /** The worker was asked to stop and is finishing what it holds. The first call counts. */
  stopping(): void
}

/**
 * Connects to the service manager named by `environment.NOTIFY_SOCKET`; without one, to nobody.
 *
 * @throws {ImgpipeError} (settings) under systemd, when sd-notify is not installed or was built for another Node
 */
export async function connectServiceManager(environment: {
  readonly NOTIFY_SOCKET?: string | undefined
}): Promise<ServiceManager> {
  return environment.NOTIFY_SOCKET ? new Systemd(await loadSdNotify()) : nobody
}

/** @returns the text on one line, without anything a terminal or the notify protocol would act on */
export function statusLine(text: string): string {
  const shown = [...text.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, '\uFFFD')]
  return shown.length > longestStatus ? `${shown.slice(0, longestStatus - 1).join('')}…` : shown.join('')
}

const nobody: ServiceManager = {
  ready() {},
  status() {},
  alive() {},
  extendTimeout() {},
  stopping() {},
}

async function loadSdNotify(): Promise<typeof SdNotify> {
  try {
    // A CommonJS addon: only the default import carries its functions.
    return (await import('sd-notify')).default
  } catch (cause) {
    throw new ImgpipeError(
      'settings',
      'systemd started this service (NOTIFY_SOCKET is set), but the native module sd-notify does not load in ' +
        `Node ${process.versions.node}: run deploy/install.sh again, which builds it for this Node.`,
      { cause },
    )
  }
}

class Systemd implements ServiceManager {
  readonly #sdNotify: typeof SdNotify
  readonly #watched: boolean
  readonly #statusGate = new Gate()
  readonly #aliveGate = new Gate()
  readonly #extendGate = new Gate()
  #ready = false
  #stopping = false
  #newestStatus = ''
  #statusTimer: NodeJS.Timeout | undefined

  constructor(sdNotify: typeof SdNotify) {
    this.#sdNotify = sdNotify
    this.#watched = sdNotify.watchdogInterval() > 0
  }

  ready() {
    if (this.#ready) return
    this.#ready = true
    this.#sdNotify.ready()
  }

  status(text: string) {
    this.#newestStatus = statusLine(text)
    if (this.#statusTimer) return
    if (this.#statusGate.passes()) this.#sendStatus()
    else this.#sendStatusLater()
  }

  alive() {
    if (this.#watched && this.#aliveGate.passes()) this.#sdNotify.watchdog()
  }

  extendTimeout(milliseconds: number) {
    if (!this.#extendGate.passes()) return
    this.#sdNotify.sendState(`EXTEND_TIMEOUT_USEC=${Math.round(milliseconds * 1000)}`)
  }

  stopping() {
    if (this.#stopping) return
    this.#stopping = true
    this.#sdNotify.stopping(process.pid)
  }

  #sendStatus() {
    this.#sdNotify.sendStatus(this.#newestStatus)
  }

  /** The last line before a quiet time must not be lost: it is what `systemctl status` shows for hours. */
  #sendStatusLater() {
    this.#statusTimer = setTimeout(
      () => {
        this.#statusTimer = undefined
        if (this.#statusGate.passes()) this.#sendStatus()
        else this.#sendStatusLater()
      },
      Math.max(0, this.#statusGate.millisecondsLeft()),
    )
    this.#statusTimer.unref()
  }
}

/** Lets one notification through, then none until a second has gone by. */
class Gate {
  #openFrom = 0

  passes() {
    if (this.millisecondsLeft() > 0) return false
    this.#openFrom = performance.now() + millisecondsBetweenNotifications
    return true
  }

  millisecondsLeft() {
    return this.#openFrom - performance.now()
  }
}

import type { DiskWatch } from './append-log.ts'
import type { Log } from './log.ts'
import type { StopSignals } from './stop-signal.ts'
import type { ServiceManager } from './systemd.ts'

/**
 * Tells once that the disk is full and once that there is room again, and keeps the service manager content meanwhile.
 *
 * @param meanwhile what the worker does until then, as the end of the warning
 */
export function diskWatch(
  { log, manager, stop }: { log: Log; manager: ServiceManager; stop: StopSignals },
  meanwhile: string,
): DiskWatch {
  let isTold = false
  return {
    full(path) {
      manager.alive()
      if (!isTold) log.warn(`the disk is full: ${path} cannot grow; ${meanwhile}`)
      isTold = true
    },
    roomAgain(path) {
      log.info(`there is room again: ${path} grows`)
      isTold = false
    },
    giveUp: stop.soft,
  }
}

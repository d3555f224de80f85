/**
 * The native part of systemd's notify protocol (npm package `sd-notify`, which ships no types): only what
 * imgpipe calls. Its `log.*` is left out on purpose: it takes the text as a printf format, and a `%` in a
 * image's key would crash the process.
 */
declare module 'sd-notify' {
  interface SdNotify {
    /** Sends `READY=1`. */
    ready(): void
    /** Sends `STATUS=text`; a line feed in the text would start another field. */
    sendStatus(text: string): void
    /** Sends `STOPPING=1`; the argument must be the own process id. */
    stopping(pid: number): void
    /** Sends `WATCHDOG=1`. */
    watchdog(): void
    /** The unit's `WatchdogSec=` in milliseconds; 0 when it has none. */
    watchdogInterval(): number
    /** Sends `NAME=value` fields as they are. */
    sendState(fields: string): void
  }
  const sdNotify: SdNotify
  export = sdNotify
}

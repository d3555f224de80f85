import { displaySafe } from './display.ts'

export const logLevels = ['error', 'warn', 'info', 'debug'] as const
export type LogLevel = (typeof logLevels)[number]

/** Fields of a log line beside its sentence: printed as `key=value`, in this order. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>

/** One line per event that a person can read. */
export interface Log {
  /** The program ends or cannot do its work. */
  error(sentence: string, fields?: LogFields): void
  /** Someone should look: `journalctl -p warning` shows these and errors, and nothing else. */
  warn(sentence: string, fields?: LogFields): void
  info(sentence: string, fields?: LogFields): void
  debug(sentence: string, fields?: LogFields): void
}

/** syslog's numbers (RFC 5424), which journald takes from a `<N>` in front of the line (sd-daemon(3)). */
const priorities = { error: 3, warn: 4, info: 6, debug: 7 } as const satisfies Record<LogLevel, number>

/**
 * A log on `write` (standard error). In front of each line stands the syslog priority under journald, else the
 * time of day.
 */
export function createLog(options: {
  level: LogLevel
  toJournal: boolean
  write: (line: string) => void
}): Log {
  const line =
    (level: LogLevel) =>
    (sentence: string, fields: LogFields = {}) => {
      if (priorities[level] > priorities[options.level]) return
      const start = options.toJournal ? `<${priorities[level]}>` : `${timeOfDay()} ${mark(level)}`
      options.write(`${start}${displaySafe(sentence)}${formatFields(fields)}\n`)
    }
  return { error: line('error'), warn: line('warn'), info: line('info'), debug: line('debug') }
}

function timeOfDay(): string {
  return new Date().toISOString().slice(11, 19)
}

function mark(level: LogLevel): string {
  return level === 'error' || level === 'warn' ? `${level.toUpperCase()} ` : ''
}

function formatFields(fields: LogFields): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => ` ${key}=${formatValue(String(value))}`)
    .join('')
}

/** Values with anything but plain characters stand in quotes, escaped as in JSON. */
function formatValue(value: string): string {
  const safe = displaySafe(value)
  return /^[\w./:@%+,*~-]+$/.test(safe) ? safe : JSON.stringify(safe)
}

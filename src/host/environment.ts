import { fstatSync } from 'node:fs'

/**
 * What the environment says about where the process runs. Settings are settings.ts's; endpoints, proxies and credentials
 * are those of src/aws.
 */
export interface Environment {
  /** systemd's notification socket; undefined outside of a unit */
  readonly NOTIFY_SOCKET?: string | undefined
  /** standard error is connected to journald, which understands priorities */
  readonly logsToJournal: boolean
  /** colors are wanted where a terminal can show them (https://no-color.org) */
  readonly useColor: boolean
  /** the terminal's character set (locale(7): the first of the three that is set holds) */
  readonly isUtf8: boolean
}

type Variables = Readonly<Record<string, string | undefined>>

export function readEnvironment(variables: Variables = process.env): Environment {
  const locale = variables.LC_ALL || variables.LC_CTYPE || variables.LANG || ''
  return {
    NOTIFY_SOCKET: variables.NOTIFY_SOCKET || undefined,
    logsToJournal: isStderr(variables.JOURNAL_STREAM),
    useColor: !variables.NO_COLOR && variables.TERM !== 'dumb',
    isUtf8: /utf-?8/i.test(locale),
  }
}

/**
 * The variable is inherited by programs whose output goes elsewhere: it names device and inode of the stream that is
 * the journal's (systemd.exec(5)).
 */
function isStderr(journalStream: string | undefined): boolean {
  if (!journalStream) return false
  try {
    const { dev, ino } = fstatSync(2, { bigint: true })
    return journalStream === `${dev}:${ino}`
  } catch {
    return false
  }
}

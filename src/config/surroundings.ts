/** What the environment says of where the process runs. Settings are in settings.ts; AWS's variables are the SDK's. */
export interface Surroundings {
  /** systemd's socket for notifications; undefined outside of a unit */
  readonly NOTIFY_SOCKET?: string | undefined
  /** standard error is read by journald, which takes priorities */
  readonly logsToJournal: boolean
  /** colour is wanted where a terminal can show it (https://no-color.org) */
  readonly mayColour: boolean
  /** the terminal's character set (locale(7): the first of the three that is set counts) */
  readonly isUtf8: boolean
}

export function readSurroundings(
  environment: Readonly<Record<string, string | undefined>> = process.env,
): Surroundings {
  const characters = environment.LC_ALL || environment.LC_CTYPE || environment.LANG || ''
  return {
    NOTIFY_SOCKET: environment.NOTIFY_SOCKET,
    logsToJournal: environment.JOURNAL_STREAM !== undefined,
    mayColour: !environment.NO_COLOR && environment.TERM !== 'dumb',
    isUtf8: /utf-?8/i.test(characters),
  }
}

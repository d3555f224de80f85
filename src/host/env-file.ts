import { readFileSync } from 'node:fs'

/** A file of `EnvironmentFile=`, as systemd reads it. */
export interface EnvFile {
  readonly path: string
  readonly values: Readonly<Record<string, string>>
  /** variables of `export NAME=…` lines: systemd ignores such lines */
  readonly exported: readonly string[]
  /** the file exists, and the current user cannot read it; systemd, which is root, can */
  readonly isUnreadable: boolean
}

/** @returns undefined when there is no such file */
export function readEnvFile(path: string): EnvFile | undefined {
  try {
    return { path, isUnreadable: false, ...parseEnvFile(readFileSync(path, 'utf8')) }
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (code !== 'EACCES' && code !== 'EPERM') return undefined
    return { path, isUnreadable: true, values: {}, exported: [] }
  }
}

/** `NAME=VALUE` lines, comments, quotes (systemd.exec(5), EnvironmentFile=). A value over several lines is not supported. */
export function parseEnvFile(text: string): Pick<EnvFile, 'values' | 'exported'> {
  const values: Record<string, string> = {}
  const exported: string[] = []
  for (const line of text.split(/\r?\n/)) {
    const [, prefix, name, value = ''] = /^\s*(export\s+)?([A-Za-z_]\w*)=(.*)$/.exec(line) ?? []
    if (name === undefined) continue
    if (prefix === undefined) values[name] = unquoted(value.trim())
    else exported.push(name)
  }
  return { values, exported }
}

function unquoted(value: string): string {
  return /^(["'])(.*)\1$/.exec(value)?.[2] ?? value
}

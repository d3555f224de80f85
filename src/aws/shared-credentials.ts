/** A section of an INI file of the AWS SDK: `[default]` and the lines below it. */
export interface Section {
  readonly name: string
  /** the section as it stands in the file, without line feed at the end */
  readonly text: string
  readonly values: Readonly<Record<string, string>>
}

/** The AWS SDK's shared credentials file, as the SDK reads it. */
export interface SharedCredentials {
  readonly sections: readonly Section[]
  /** lines that a shell would understand and the SDK does not: `export AWS_ACCESS_KEY_ID=…`; their numbers from 1 */
  readonly shellLines: readonly number[]
}

/** The key that several tools write beside session credentials, and imgpipe too: ISO 8601. The SDK ignores it. */
export const expiryKey = 'x_security_token_expires'

export function parseSharedCredentials(text: string): SharedCredentials {
  const sections: { name: string; lines: string[]; values: Record<string, string> }[] = []
  const shellLines: number[] = []
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    // As the SDK: comments are cut off, and a name with spaces, "[ default ]", is another name.
    const statement = line.split(/(?:^|\s)[;#]/)[0]?.trim() ?? ''
    const name = /^\[(.*)\]$/.exec(statement)?.[1]
    if (name !== undefined) sections.push({ name, lines: [], values: {} })
    const section = sections.at(-1)
    section?.lines.push(line)
    const [, key, value = ''] = /^([^=]+?)\s*=\s*(.*)$/.exec(statement) ?? []
    if (key === undefined || name !== undefined) continue
    if (/^(export\s|set\s|\$env:|AWS_)/i.test(key) && !/^aws_[a-z_]+$/.test(key)) shellLines.push(index + 1)
    else if (section) section.values[key] = value
  }
  const shown = sections.map(({ name, lines, values }) => ({
    name,
    values,
    text: lines.join('\n').trimEnd(),
  }))
  return { sections: shown, shellLines }
}

/** @returns the section that the SDK uses for a profile: the last one of the name wins where it stands twice */
export function sectionOf({ sections }: SharedCredentials, profile: string): Section | undefined {
  const all = sections.filter(({ name }) => name === profile)
  const last = all.at(-1)
  return last && { ...last, values: Object.assign({}, ...all.map(({ values }) => values)) }
}

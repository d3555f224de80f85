import { readFileSync } from 'node:fs'

const page = readFileSync(new URL('../../../docs/operations.md', import.meta.url), 'utf8')

/**
 * The commands of a block of docs/operations.md, as they stand there, for one of the two hosts: lines that end in
 * "# on A" or "# on B" are for that host only.
 *
 * @param block which of the blocks below the heading, from 0 on
 */
export function documentedCommands(heading: string, host: 'A' | 'B', block = 0): string[] {
  const [, section = ''] = page.split(new RegExp(`^#+ ${heading}$`, 'm'))
  const [own = ''] = section.split(/^#+ /m)
  const blocks = [...own.matchAll(/^ *```\n(.*?)^ *```$/gms)].map(([, lines = '']) => lines)
  const lines = blocks[block]?.split('\n').map((line) => line.trim()) ?? []
  const commands = lines.filter((line) => line !== '' && !line.includes(host === 'A' ? '# on B' : '# on A'))
  if (commands.length === 0) throw new Error(`docs/operations.md has no block ${block} below "${heading}"`)
  return commands
}

/** A command that docs/operations.md has within its text. @throws when it has not */
export function documented(command: string): string {
  if (!page.includes(`\`${command}\``)) throw new Error(`docs/operations.md does not have "${command}"`)
  return command
}

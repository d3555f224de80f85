/** The end of a command's help: command lines, and after `#` what they do. */
export function examples(...lines: readonly (readonly [command: string, effect: string])[]): string {
  const width = Math.max(...lines.map(([command]) => command.length))
  return `\nExamples:\n${lines.map(([command, effect]) => `  ${command.padEnd(width)}  # ${effect}`).join('\n')}`
}

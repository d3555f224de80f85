import type { Command } from 'commander'

/** The commands that people use: those that the help lists, but for "help" itself. */
export function visibleCommands(program: Command): Command[] {
  const commands = program.createHelp().visibleCommands(program)
  return commands.filter((command) => command.name() !== 'help')
}

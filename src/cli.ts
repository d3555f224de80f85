#!/usr/bin/env node
import { CommanderError } from 'commander'
import { createProgram } from './commands/program.ts'
import { displaySafe } from './host/display.ts'
import { readEnvironment } from './host/environment.ts'
import { exitCodes, ImgpipeError, Interrupted } from './host/exit-codes.ts'
import { flushed, handleBrokenPipes } from './host/stdio.ts'

handleBrokenPipes(process)
try {
  await createProgram().parseAsync()
} catch (error) {
  process.exitCode = report(error)
}
await flushed(process.stdout)
// What still holds the event loop only waits: idle connections, timers of a run that has failed.
process.exit()

/** @returns the exit code of what ended the program, having reported the reason */
function report(error: unknown): number {
  if (error instanceof CommanderError) return reportUsage(error)
  if (error instanceof ImgpipeError || error instanceof Interrupted) {
    print(error.message)
    return error.exitCode
  }
  print(`unexpected error (please report it): ${error instanceof Error ? error.stack : error}`)
  return 1
}

function reportUsage({ code, exitCode, message }: CommanderError): number {
  if (exitCode === 0) return exitCodes.done
  if (code === 'commander.help') return exitCodes.usage
  const sentence = message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ')
  print(`${sentence.replace(/\.$/, '')}. See "imgpipe --help".`)
  return exitCodes.usage
}

/** The journal takes the priority, that of an error, from the start of each line (sd-daemon(3)). */
function print(message: string): void {
  const priority = readEnvironment().logsToJournal ? '<3>' : ''
  const lines = `imgpipe: ${message}`.split('\n').map((line) => `${priority}${displaySafe(line)}\n`)
  process.stderr.write(lines.join(''))
}

#!/usr/bin/env node
import { CommanderError } from 'commander'
import { Stopped } from './aws/retry.ts'
import { createProgram } from './commands/program.ts'
import { surviveClosedPipes, written } from './daemon/closed-pipes.ts'
import { exitCodes, ImgpipeError, Interrupted } from './daemon/exit-codes.ts'

surviveClosedPipes(process)
try {
  await createProgram().parseAsync()
} catch (error) {
  process.exitCode = tell(error)
}
await written(process.stdout)
// What still holds the event loop is only what waits: idle connections, timers of a run that has failed.
process.exit()

/** @returns the exit code of what ended the program, having said why in one sentence */
function tell(error: unknown): number {
  if (error instanceof CommanderError) return tellUsage(error)
  // Asked to stop before the work had begun: nothing is lost, and nothing is wrong.
  if (error instanceof Stopped) return exitCodes.done
  if (error instanceof ImgpipeError || error instanceof Interrupted) {
    process.stderr.write(`imgpipe: ${error.message}\n`)
    return error.exitCode
  }
  process.stderr.write(
    `imgpipe: this should not happen; please report it: ${error instanceof Error ? error.stack : error}\n`,
  )
  return 1
}

function tellUsage({ code, exitCode, message }: CommanderError): number {
  if (exitCode === 0) return exitCodes.done
  if (code === 'commander.help') return exitCodes.usage
  const sentence = message.replace(/^error: /, '').replace(/\s*\n\s*/g, ' ')
  process.stderr.write(`imgpipe: ${sentence.replace(/\.$/, '')} ("imgpipe --help" shows what there is)\n`)
  return exitCodes.usage
}

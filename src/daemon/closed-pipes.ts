import { exitCodes } from './exit-codes.ts'

/**
 * Whoever read standard output may go away before all is said (`imgpipe status | head -1`). Then the program
 * ends without a word; one that listens for signals (`status --watch`, `local`, `demo`) stops as it does for
 * SIGTERM, so that nothing is left behind. A worker whose standard error is gone goes on: its work counts more
 * than its log.
 */
export function surviveClosedPipes(program: NodeJS.Process): void {
  let isClosed = false
  program.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (!isClosedPipe(error)) endUnwritten(program, error)
    if (isClosed) return
    isClosed = true
    if (program.listenerCount('SIGTERM') > 0) program.emit('SIGTERM', 'SIGTERM')
    else program.exit()
  })
  program.stderr.on('error', () => undefined)
}

/** @returns when standard output has taken all, or has said that it cannot */
export function written(output: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => output.write('', () => setImmediate(resolve)))
}

/** A terminal that is gone says EIO. */
function isClosedPipe({ code }: NodeJS.ErrnoException): boolean {
  return code === 'EPIPE' || code === 'EIO'
}

function endUnwritten(program: NodeJS.Process, { code, message }: NodeJS.ErrnoException): never {
  program.stderr.write(`imgpipe: The output cannot be written (${code ?? message}): see where it goes.\n`)
  program.exit(exitCodes.disk)
}

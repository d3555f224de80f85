import { exitCodes } from './exit-codes.ts'

/**
 * The reader of standard output may close the pipe early (`imgpipe status | head -1`). Then the program ends silently;
 * one that handles signals (`status --watch`, `local`, `demo`) shuts down as it does for SIGTERM, so that nothing is left
 * running. A worker whose standard error is gone continues: its work matters more than its log.
 */
export function handleBrokenPipes(program: NodeJS.Process): void {
  let isClosed = false
  program.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (!isBrokenPipe(error)) failUnwritten(program, error)
    if (isClosed) return
    isClosed = true
    if (program.listenerCount('SIGTERM') > 0) program.emit('SIGTERM', 'SIGTERM')
    else program.exit()
  })
  program.stderr.on('error', () => undefined)
}

/** @returns when the stream has written everything, or has failed */
export function flushed(output: NodeJS.WriteStream): Promise<void> {
  return new Promise((resolve) => output.write('', () => setImmediate(resolve)))
}

/** A terminal that is gone reports EIO. */
function isBrokenPipe({ code }: NodeJS.ErrnoException): boolean {
  return code === 'EPIPE' || code === 'EIO'
}

function failUnwritten(program: NodeJS.Process, { code, message }: NodeJS.ErrnoException): never {
  program.stderr.write(
    `imgpipe: Cannot write to standard output (${code ?? message}): check where it is redirected to.\n`,
  )
  program.exit(exitCodes.disk)
}

import { WorkerProcess } from '../support/worker-process.ts'

/** What a command has printed and how it has ended. */
export interface Ended {
  readonly code: number | null
  /** both streams, as they came */
  readonly text: string
  readonly lines: readonly string[]
}

/** Runs `imgpipe WORDS` to its end, with this environment and nothing else of the test's. */
export async function imgpipe(
  words: readonly string[],
  environment: Readonly<Record<string, string>> = {},
  preload?: string,
): Promise<Ended> {
  const process = WorkerProcess.start({ arguments: words, environment, preload })
  const { code } = await process.exited
  return { code, text: process.log, lines: process.log.trimEnd().split('\n') }
}

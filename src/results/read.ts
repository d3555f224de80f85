import { ImgpipeError } from '../host/exit-codes.ts'
import type { Outcome } from '../protocol/outcomes.ts'
import type { ResultsHead } from './format.ts'
import { wholeLines } from './lines.ts'
import { parseHead, parseOutcomeJson } from './parse.ts'

// results.json is one JSON object that is laid out in lines, so that it can be read in little memory: the head without
// its closing brace, `"outcomes":[`, one outcome a line, and `]}` (format.ts).

const opening = '"outcomes":['
const closing = ']}'

/**
 * What results.json says about the run itself; its outcomes are not read.
 *
 * @returns undefined when there is no such file
 * @throws {ImgpipeError} `disk` when it is not a results.json or cannot be read, `permission` when it may not be read
 */
export async function readResultsHead(path: string): Promise<ResultsHead | undefined> {
  try {
    for await (const json of jsonLines(path)) {
      const head = parseHead(parsedJson(json))
      if (head) return head
      break
    }
    throw notResults(path)
  } catch (error) {
    if (isMissing(error)) return undefined
    throw unreadable(path, error)
  }
}

/**
 * The outcomes of results.json, in the order of the file.
 *
 * @param options.maxLength characters to read at most, about; default: all
 * @throws {ImgpipeError} as `readResultsHead`, also when there is no such file
 */
export async function* readOutcomes(
  path: string,
  { maxLength = Number.POSITIVE_INFINITY } = {},
): AsyncGenerator<Outcome> {
  let isHead = true
  let length = 0
  try {
    for await (const json of jsonLines(path)) {
      length += json.length
      if (length > maxLength) return
      if (!isHead) yield outcomeOf(path, json)
      isHead = false
    }
  } catch (error) {
    throw unreadable(path, error)
  }
}

/** The head, then every outcome, as JSON. */
async function* jsonLines(path: string): AsyncGenerator<string> {
  let head: string | undefined
  let isOpen = false
  for await (const line of wholeLines(path)) {
    if (isOpen && line === closing) return
    if (isOpen) yield line.replace(/,$/, '')
    else if (head === undefined) head = line
    else if (line !== opening) break
    else {
      isOpen = true
      yield head.replace(/,$/, '}')
    }
  }
  throw notResults(path)
}

function outcomeOf(path: string, json: string): Outcome {
  const outcome = parseOutcomeJson(parsedJson(json))
  if (!outcome) throw notResults(path)
  return outcome
}

function parsedJson(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

function notResults(path: string): ImgpipeError {
  return new ImgpipeError(
    'disk',
    `${path} is not a file that "imgpipe read" has written: restore it, or use the results of another run.`,
  )
}

function unreadable(path: string, error: unknown): unknown {
  const code = codeOf(error)
  if (error instanceof ImgpipeError || code === undefined) return error
  const message = `${path} cannot be read (${code})`
  if (code === 'EACCES' || code === 'EPERM')
    return new ImgpipeError('permission', `${message}: run the command as root or as the worker's user.`, {
      cause: error,
    })
  return new ImgpipeError('disk', `${message}: check the disk.`, { cause: error })
}

function isMissing(error: unknown): boolean {
  const code = codeOf(error)
  return code === 'ENOENT' || code === 'ENOTDIR'
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined
}

import { createReadStream } from 'node:fs'

/**
 * The file's lines one by one, in little memory. Only a line feed ends a line: `node:readline` also breaks at
 * U+2028 and U+2029, which JSON leaves as they are inside strings, so a key could tear its own record.
 *
 * The last line is given also when no line feed ends it.
 */
export async function* linesOf(file: string): AsyncGenerator<string> {
  let rest = ''
  for await (const chunk of createReadStream(file, { encoding: 'utf8', highWaterMark: 256 * 1024 })) {
    const lines = (rest + String(chunk)).split('\n')
    rest = lines.pop() ?? ''
    yield* lines
  }
  if (rest !== '') yield rest
}

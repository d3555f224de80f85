import { createReadStream } from 'node:fs'

const newline = 0x0a

/**
 * A file's lines one by one, in little memory. Only a line feed ends a line: `node:readline` also breaks at U+2028
 * and U+2029, which JSON leaves as they are inside strings, so a key could tear its own record. A last line that
 * no line feed ends has not been written to its end, and is left out.
 *
 * @throws what the file system throws
 */
export async function* wholeLines(path: string): AsyncGenerator<string> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    const bytes = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk
    let start = 0
    for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, start)) {
      yield bytes.toString('utf8', start, end)
      start = end + 1
    }
    rest = bytes.subarray(start)
  }
}

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Installation } from './installation.ts'

/**
 * Whether systemd passes the credentials file to a unit (LoadCredential= in a drop-in, see deploy/systemd/examples). Then only
 * root has to be able to read it.
 */
export function isLoadedBySystemd({ unitsDir, credentialsFile }: Installation): boolean {
  const directories = namesIn(unitsDir).filter((name) => /^imgpipe-.*\.service\.d$/.test(name))
  const files = directories.flatMap((name) =>
    namesIn(join(unitsDir, name))
      .filter((file) => file.endsWith('.conf'))
      .map((file) => join(unitsDir, name, file)),
  )
  return files.some((file) => directives(file).some((line) => isLoad(line, credentialsFile)))
}

function isLoad(line: string, path: string): boolean {
  const [name, value = ''] = line.split(/=(.*)/s)
  return name === 'LoadCredential' && value.endsWith(`:${path}`)
}

function directives(path: string): string[] {
  try {
    const lines = readFileSync(path, 'utf8').split('\n')
    return lines.map((line) => line.trim())
  } catch {
    return []
  }
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
  } catch {
    return []
  }
}

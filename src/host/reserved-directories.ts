import { existsSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { ImgpipeError } from './exit-codes.ts'

/** Where the units keep their state: `/var/lib/imgpipe/NAME` for the pipeline NAME. */
const stateDirOfUnits = '/var/lib/imgpipe'
/** Names in a state directory that belong to its own pipeline. */
const ownNames = ['runs', 'detector', 'reader']
/** A further pipeline of this name would have directories, or the settings file, of the pipeline without a name. */
export const reservedPipelineNames: readonly string[] = ['imgpipe', ...ownNames]
const databases = ['detector.sqlite', 'reader.sqlite']

/**
 * A pipeline called `runs` would keep its state among the results of the main one.
 *
 * @throws {ImgpipeError} `settings`
 */
export function refuseReservedStateDirectory(stateDir: string): void {
  const name = basename(stateDir)
  const parent = dirname(stateDir)
  const isReserved =
    parent === stateDirOfUnits
      ? reservedPipelineNames.includes(name)
      : ownNames.includes(name) && databases.some((file) => existsSync(join(parent, file)))
  if (!isReserved) return
  throw new ImgpipeError(
    'settings',
    `The state directory ${stateDir} is reserved for the pipeline of ${parent}: rename this pipeline, or set stateDir to another directory.`,
  )
}

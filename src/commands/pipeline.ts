import { join } from 'node:path'
import type { Command } from 'commander'
import { type EnvFile, readEnvFile } from '../host/env-file.ts'
import { ImgpipeError } from '../host/exit-codes.ts'
import {
  findInstallation,
  type Installation,
  pipelineVariables,
  requirePipelineName,
} from '../host/installation.ts'
import { currentUser } from '../host/users.ts'

type Variables = Record<string, string | undefined>

const description = 'a further pipeline of an installed host: its settings are /etc/imgpipe/NAME.json'

/** Adds `--pipeline` to a command. */
export function addPipelineOption(command: Command): void {
  command.option('--pipeline <name>', description)
}

/**
 * Gives the environment the settings, the state directory and the variables of a further pipeline, as its units have them;
 * variables that the caller set take precedence.
 *
 * @throws {ImgpipeError} `usage` for a name that cannot be, or where imgpipe is not installed; `permission`
 */
export function usePipeline(name: string, environment: Variables): void {
  const installation = requireInstallation(name, environment)
  const common = envFile(installation, 'imgpipe')
  const own = envFile(installation, name)
  // What has the value of the common file comes from there: deploy/imgpipe.sh has exported it.
  const isOfCaller = (key: string) =>
    environment[key] !== undefined && environment[key] !== common?.values[key]
  const values = Object.entries(own?.values ?? {}).filter(([key]) => !isOfCaller(key))
  Object.assign(environment, pipelineVariables(installation, name), Object.fromEntries(values))
}

/** @throws {ImgpipeError} `usage` */
export function requireInstallation(pipeline: string, environment: Variables): Installation {
  requirePipelineName(pipeline)
  const installation = findInstallation(environment)
  if (installation) return installation
  const message = '--pipeline is for hosts that deploy/install.sh has set up: elsewhere use --config.'
  throw new ImgpipeError('usage', message)
}

function envFile({ settingsDir, user }: Installation, name: string): EnvFile | undefined {
  const file = readEnvFile(join(settingsDir, `${name}.env`))
  if (!file?.isUnreadable) return file
  const { path } = file
  const me = currentUser()
  // "sudo imgpipe detect" has become the user of the units already.
  const remedy =
    me.uid === user?.uid
      ? `run "sudo chgrp ${user.name} ${path} && sudo chmod g+r ${path}"`
      : 'run the command with sudo'
  throw new ImgpipeError('permission', `${path} cannot be read by ${me.name}: ${remedy}.`)
}

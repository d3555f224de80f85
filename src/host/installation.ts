import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { type EnvFile, readEnvFile } from './env-file.ts'
import { ImgpipeError } from './exit-codes.ts'
import { reservedPipelineNames } from './reserved-directories.ts'
import { findUser, type Owner } from './users.ts'

type Variables = Readonly<Record<string, string | undefined>>

/** A host that deploy/install.sh has set up: where its units find what they need. */
export interface Installation {
  readonly settingsDir: string
  readonly stateDir: string
  /** AWS_SHARED_CREDENTIALS_FILE of the units */
  readonly credentialsFile: string
  /** AWS_CONFIG_FILE of the units */
  readonly sdkConfigFile: string
  /** where the units and their drop-ins are */
  readonly unitsDir: string
  /** names the workers that the host was installed for */
  readonly roleFile: string
  /** `User=` of the units; undefined when this host has no such user */
  readonly user: Owner | undefined
}

/** deploy/imgpipe.sh exports it: the directory that everything is installed below, which is `/`. */
export const rootVariable = 'IMGPIPE_HOST_ROOT'
/** Renews the credentials of the units. */
export const credentialsCommand = 'sudo imgpipe credentials'
const userOfUnits = 'imgpipe'

/** @returns undefined where imgpipe runs from a checkout on a host that it is not installed on */
export function findInstallation(environment: Variables = process.env): Installation | undefined {
  const root = environment[rootVariable] || (existsSync('/opt/imgpipe/current') ? '/' : undefined)
  if (root === undefined) return undefined
  const settingsDir = join(root, 'etc/imgpipe')
  return {
    settingsDir,
    stateDir: join(root, 'var/lib/imgpipe'),
    credentialsFile: join(settingsDir, 'credentials'),
    sdkConfigFile: join(settingsDir, 'aws-config'),
    unitsDir: join(root, 'etc/systemd/system'),
    roleFile: join(root, 'opt/imgpipe/role'),
    user: findUser(userOfUnits, join(root, 'etc/passwd')),
  }
}

/** @returns the role that install.sh recorded; undefined without one */
export function installedRole({ roleFile }: Installation): string | undefined {
  try {
    return readFileSync(roleFile, 'utf8').trim()
  } catch {
    return undefined
  }
}

/** @returns the names of the further pipelines: each has a settings file of its name */
export function pipelineNames({ settingsDir }: Installation): string[] {
  try {
    const files = readdirSync(settingsDir).filter((name) => name.endsWith('.json'))
    return files.map((name) => name.slice(0, -'.json'.length)).filter(isPipelineName)
  } catch {
    return []
  }
}

/** @throws {ImgpipeError} `usage` for a name that no pipeline can have */
export function requirePipelineName(name: string): void {
  if (isPipelineName(name)) return
  const rule = `letters, digits, "-" and "_", and not one of ${reservedPipelineNames.join(', ')}`
  throw new ImgpipeError('usage', `The name of a pipeline must be ${rule}, but is "${name}".`)
}

function isPipelineName(name: string): boolean {
  return /^[A-Za-z0-9][\w-]{0,63}$/.test(name) && !reservedPipelineNames.includes(name)
}

/** The environment of the units, and how it came about. */
export interface UnitEnvironment {
  readonly variables: Readonly<Record<string, string>>
  /** the files of `EnvironmentFile=` that exist */
  readonly files: readonly EnvFile[]
  /** the caller's variables that the units do not have */
  readonly ignored: readonly string[]
}

/**
 * What the units of a pipeline have in their environment, by the same rules as systemd: `Environment=` of the unit, then
 * imgpipe.env, then the file of the pipeline. Of the caller's own nothing remains that changes what a worker does.
 */
export function unitEnvironment(
  installation: Installation,
  pipeline: string | undefined,
  caller: Variables,
): UnitEnvironment {
  const { settingsDir, stateDir } = installation
  const names = ['imgpipe', ...(pipeline === undefined ? [] : [pipeline])]
  const files = names.map((name) => readEnvFile(join(settingsDir, `${name}.env`))).filter((file) => !!file)
  const variables: Record<string, string> = {
    HOME: stateDir,
    ...unitVariables(installation, pipeline),
    ...Object.assign({}, ...files.map(({ values }) => values)),
  }
  const kept: Record<string, string> = {}
  const ignored: string[] = []
  for (const [name, value = ''] of Object.entries(caller)) {
    if (name === rootVariable || !changesWorkers(name)) kept[name] = value
    else if (value !== variables[name]) ignored.push(name)
  }
  return { variables: { ...kept, ...variables }, files, ignored }
}

/** `Environment=` of the units. */
function unitVariables(
  { settingsDir, stateDir, credentialsFile, sdkConfigFile }: Installation,
  pipeline: string | undefined,
): Record<string, string> {
  const shared = { AWS_SHARED_CREDENTIALS_FILE: credentialsFile, AWS_CONFIG_FILE: sdkConfigFile }
  if (pipeline !== undefined) return { ...shared, ...pipelineVariables({ settingsDir, stateDir }, pipeline) }
  const settings = join(settingsDir, 'imgpipe.json')
  return isMissing(settings) ? shared : { ...shared, IMGPIPE_CONFIG: settings }
}

/** What this user may not see is not missing. */
function isMissing(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) === undefined
  } catch {
    return false
  }
}

/** What tells a worker of which pipeline it is. */
export function pipelineVariables(
  { settingsDir, stateDir }: Pick<Installation, 'settingsDir' | 'stateDir'>,
  pipeline: string,
): Record<string, string> {
  return {
    IMGPIPE_CONFIG: join(settingsDir, `${pipeline}.json`),
    IMGPIPE_STATE_DIR: join(stateDir, pipeline),
  }
}

function changesWorkers(name: string): boolean {
  return /^(AWS_|IMGPIPE_)|^(https?|no|all)_proxy$/i.test(name)
}

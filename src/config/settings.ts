import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import convict from 'convict'
import { ImgpipeError } from '../host/exit-codes.ts'
import { rootVariable } from '../host/installation.ts'
import { nearestName } from './nearest-name.ts'
import { type SettingRule, type Settings, settingFormat, settingsSchema } from './schema.ts'

/** Where settings are read when neither `--config` nor IMGPIPE_CONFIG names a file. */
export const defaultConfigFile = '/etc/imgpipe/imgpipe.json'

const variablePrefix = 'IMGPIPE_'
const configVariable = 'IMGPIPE_CONFIG'

type Environment = Readonly<Record<string, string | undefined>>

/** A value as it was given, and where: `/etc/imgpipe/imgpipe.json`, or `IMGPIPE_LABEL in the environment`. */
interface Given {
  readonly value: unknown
  readonly place: string
}

/**
 * The settings from the file, each overridden by its environment variable, frozen.
 *
 * @param options.configFile file named on the command line; it must exist. The default file may be missing.
 * @throws {ImgpipeError} `settings`, with every mistake on a line of its own: where it stands, key, rule, value
 */
export function loadSettings(
  options: { configFile?: string | undefined; environment?: Environment } = {},
): Settings {
  const environment = options.environment ?? process.env
  const file = fileValues(options.configFile ?? (environment[configVariable] || undefined))
  const given = new Map([...file, ...environmentValues(environment)])
  const mistakes = [...unknownVariables(environment), ...[...given].flatMap(mistakesIn)]
  if (mistakes.length > 0) throw new ImgpipeError('settings', mistakes.join('\n'))
  convict.addFormat(settingFormat)
  const config = convict(settingsSchema, { env: {}, args: [] })
  config.load(Object.fromEntries([...given].map(([key, { value }]) => [key, value])))
  config.validate({ allowed: 'strict' })
  const settings = config.getProperties()
  return Object.freeze({ ...settings, stateDir: resolve(settings.stateDir) })
}

/** Every setting with its rule, default and environment variable, in the order of the docs. */
export function schemaEntries(): [
  keyof Settings,
  SettingRule & { doc: string; env: string; default: string | number | boolean },
][] {
  return Object.entries(settingsSchema) as ReturnType<typeof schemaEntries>
}

function fileValues(named: string | undefined): Map<string, Given> {
  const path = named ?? defaultConfigFile
  if (named === undefined && !existsSync(path)) return new Map()
  const values = parseJson(path, readConfigFile(path))
  if (typeof values !== 'object' || values === null || Array.isArray(values)) {
    throw new ImgpipeError(
      'settings',
      `${path} must hold one JSON object of settings, such as {"bucket": "my-bucket"}.`,
    )
  }
  return new Map(Object.entries(values).map(([key, value]) => [key, { value, place: path }]))
}

/** Editors on Windows write a byte order mark. */
function readConfigFile(path: string): string {
  try {
    return readFileSync(path, 'utf8').replace(/^\uFEFF/, '')
  } catch (error) {
    const why = error instanceof Error && 'code' in error ? error.code : error
    throw new ImgpipeError(
      'settings',
      `The settings file ${path} cannot be read (${why}): name one that exists and is readable.`,
    )
  }
}

function parseJson(path: string, content: string): unknown {
  try {
    return JSON.parse(content)
  } catch (error) {
    throw new ImgpipeError('settings', `The settings file ${path} is not valid JSON: ${reasonOf(error)}.`)
  }
}

/** V8 quotes the file, line feeds included, and repeats that it is not valid. */
function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  return message.replace(/ is not valid JSON$/, '').replace(/\s+/g, ' ')
}

/** What the environment sets, parsed as the setting's type. */
function environmentValues(environment: Environment): Map<string, Given> {
  const given = new Map<string, Given>()
  for (const [key, { env, default: byDefault }] of schemaEntries()) {
    const name = key === 'region' && environment[env] === undefined ? 'AWS_REGION' : env
    const text = environment[name]
    // An empty AWS_REGION is the SDK's business.
    if (text === undefined || (name === 'AWS_REGION' && text === '')) continue
    given.set(key, { value: parseVariable(text, byDefault), place: `${name} in the environment` })
  }
  return given
}

/** What cannot be parsed stays a string, and fails the setting's rule. `Number` would also take `0x10` and `Infinity`. */
function parseVariable(text: string, byDefault: string | number | boolean): string | number | boolean {
  if (typeof byDefault === 'boolean') return text === 'true' || (text === 'false' ? false : text)
  return typeof byDefault === 'number' && /^\s*-?(\d+(\.\d*)?|\.\d+)\s*$/.test(text) ? Number(text) : text
}

/** A misspelt variable would be a setting that silently has no effect. */
function unknownVariables(environment: Environment): string[] {
  const entries = schemaEntries()
  const known = [configVariable, ...entries.map(([, { env }]) => env)]
  // Also by the names that follow from the keys: IMGPIPE_MAX_REQUESTS_PER_SECOND.
  const bySuffix = new Map([
    ...known.map((name) => [suffixOf(name), name] as const),
    ...entries.map(([key, { env }]) => [snakeCase(key), env] as const),
  ])
  return Object.keys(environment)
    .filter((name) => name.startsWith(variablePrefix) && name !== rootVariable && !known.includes(name))
    .map((name) => {
      const nearest = nearestName(suffixOf(name), bySuffix.keys())
      const remedy = remedyFor(nearest && bySuffix.get(nearest), known)
      return `${name} in the environment is not a setting: ${remedy}`
    })
}

function suffixOf(name: string): string {
  return name.slice(variablePrefix.length)
}

function snakeCase(key: string): string {
  return key.replace(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase()
}

function mistakesIn([key, { value, place }]: [string, Given]): string[] {
  const rule = schemaEntries().find(([name]) => name === key)?.[1]
  if (!rule) {
    const known = Object.keys(settingsSchema)
    return [`${place}: ${JSON.stringify(key)} is not a setting: ${remedyFor(nearestName(key, known), known)}`]
  }
  if (rule.holds(value)) return []
  const better = rule.meant?.(value)
  const remedy = better === undefined ? '' : `: use just ${better}`
  return [`${place}: "${key}" must be ${rule.must}, but is ${shown(value)}${remedy}.`]
}

function remedyFor(nearest: string | undefined, known: Iterable<string>): string {
  return nearest === undefined ? `choose from ${[...known].join(', ')}.` : `did you mean ${nearest}?`
}

/** `1e400` in a file is a number that JSON cannot write. */
function shown(value: unknown): string {
  return typeof value === 'number' ? String(value) : JSON.stringify(value)
}

import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import convict from 'convict'
import { ImgpipeError } from '../daemon/exit-codes.ts'
import { type Settings, settingFormat, settingsSchema } from './schema.ts'

/** Where settings are read when neither `--config` nor IMGPIPE_CONFIG names a file. */
export const defaultConfigFile = '/etc/imgpipe/imgpipe.json'

type Environment = Readonly<Record<string, string | undefined>>
type Source = { readonly described: string; readonly values: Record<string, unknown> }

/**
 * The settings from the file, each overridden by its environment variable, frozen.
 *
 * @param options.configFile file named on the command line; it must exist. The default file may be missing.
 * @throws {ImgpipeError} `settings`, with every mistake in one message: key, rule, value, and where it stands
 */
export function loadSettings(
  options: { configFile?: string | undefined; environment?: Environment } = {},
): Settings {
  const environment = options.environment ?? process.env
  const file = fileSource(options.configFile ?? environment.IMGPIPE_CONFIG)
  const variables = environmentSource(environment)
  convict.addFormat(settingFormat)
  const config = convict(settingsSchema, { env: {}, args: [] })
  config.load(file.values)
  config.load(variables.values)
  refuseMistakes(config, [variables, file])
  const settings = config.getProperties()
  return Object.freeze({ ...settings, stateDir: resolve(settings.stateDir) })
}

function fileSource(named: string | undefined): Source {
  const path = named ?? defaultConfigFile
  if (named === undefined && !existsSync(path)) return { described: path, values: {} }
  const values = parseJson(path, readConfigFile(path))
  if (typeof values !== 'object' || values === null || Array.isArray(values)) {
    throw new ImgpipeError(
      'settings',
      `${path} must hold one JSON object of settings, such as {"bucket": "my-bucket"}.`,
    )
  }
  return { described: path, values: { ...values } }
}

function readConfigFile(path: string): string {
  try {
    return readFileSync(path, 'utf8')
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
    const why = error instanceof Error ? error.message : String(error)
    throw new ImgpipeError('settings', `The settings file ${path} is not valid JSON: ${why}.`)
  }
}

/** What the environment sets; texts that are numbers become numbers where the setting is one. */
function environmentSource(environment: Environment): Source {
  const values: Record<string, unknown> = {}
  for (const [key, { env, default: byDefault }] of schemaEntries()) {
    const given = environment[env] ?? (key === 'region' ? environment.AWS_REGION || undefined : undefined)
    if (given === undefined) continue
    values[key] = typeof byDefault === 'number' && given.trim() !== '' ? numberOrText(given) : given
  }
  return { described: 'the environment', values }
}

function numberOrText(given: string): number | string {
  const number = Number(given)
  return Number.isNaN(number) ? given : number
}

/** Every setting with its rule's description, default and environment variable, in the order of the docs. */
export function schemaEntries(): [
  keyof Settings,
  { doc: string; env: string; default: string | number; must: string },
][] {
  return Object.entries(settingsSchema) as ReturnType<typeof schemaEntries>
}

function refuseMistakes(config: convict.Config<Settings>, sources: Source[]): void {
  try {
    config.validate({ allowed: 'strict' })
  } catch (error) {
    const lines =
      error instanceof Error
        ? error.message.split('\n').filter((line) => !line.includes('missing from config'))
        : []
    const mistakes = [...new Set(lines.map((line) => mistakeSentence(line, sources)))]
    throw new ImgpipeError('settings', mistakes.join('\n'))
  }
}

/** convict's line ("KEY: RULE: value was V", or "configuration param 'KEY' not declared …") as our sentence. */
function mistakeSentence(line: string, sources: Source[]): string {
  const undeclared = /^configuration param '(.+)' not declared/.exec(line)?.[1]
  if (undeclared !== undefined) {
    const key = undeclared.split('.')[0] ?? undeclared
    return key in settingsSchema
      ? `${place(key, sources)}: "${key}" must be a single value, not an object.`
      : `${place(key, sources)}: "${key}" is not a setting; the settings are ${Object.keys(settingsSchema).join(', ')}.`
  }
  const [key = '', described = line] = line.split(/: (?:value was .*)?/)
  return `${place(key, sources)}: "${key}" must be ${described}, but is ${JSON.stringify(givenValue(key, sources))}.`
}

function place(key: string, sources: Source[]): string {
  const source = sources.find(({ values }) => key in values)
  const variable = schemaEntries().find(([name]) => name === key)?.[1].env
  return source?.described === 'the environment'
    ? `${variable} in the environment`
    : (source?.described ?? 'settings')
}

function givenValue(key: string, sources: Source[]): unknown {
  return sources.find(({ values }) => key in values)?.values[key]
}

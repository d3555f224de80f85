// Generates docs/cli.md from the command line itself and docs/config.md from the settings' schema. A test compares them
// with the source, so that they stay current: run "npm run docs" after a change of either.
import { writeFileSync } from 'node:fs'
import type { Command } from 'commander'
import { createProgram } from '../src/commands/program.ts'
import { visibleCommands } from '../src/commands/visible-commands.ts'
import { schemaEntries } from '../src/config/settings.ts'
import { runSettingKeys } from '../src/state/detector-runs.ts'

const helpColumns = 100

/** Every page by its path in the repository. */
export function pages(): Record<string, string> {
  return { 'docs/cli.md': cliPage(createProgram()), 'docs/config.md': configPage() }
}

function cliPage(program: Command): string {
  const commands = visibleCommands(program).map(
    (command) => `## imgpipe ${command.name()}\n\n${help(command)}`,
  )
  return `# Command line

Generated from the program's own help by \`npm run docs\`. In a checkout \`npm run imgpipe -- COMMAND\` is \`imgpipe COMMAND\`.
Exit codes and how to act on them: [operations](operations.md#exit-codes).

${help(program)}
${commands.join('\n')}
## Conventions

- Results go to standard output; the workers' logs and errors go to standard error, each in one sentence.
- \`--json\` prints every field always: one without a value is \`null\`, times are ISO 8601 in UTC, dollars are list prices.
- No color with \`NO_COLOR\`, \`TERM=dumb\` or a pipe; only ASCII where the locale is not UTF-8.
- An invalid command line exits with 64, invalid settings with 78.
- A closed pipe (\`imgpipe status | head -1\`) ends a command silently.
- Ctrl-C ends \`status --watch\`, \`local\` and \`read\` with 0, \`demo\` and \`plan\` with 130, and \`detect\` with 75: the next start
  resumes its run. Workers finish the requests in progress first; a second Ctrl-C aborts them.
`
}

/** The help as printed on a terminal of 100 columns without color. */
function help(command: Command): string {
  let text = ''
  command.configureOutput({
    writeOut: (part) => {
      text += part
    },
    getOutHelpWidth: () => helpColumns,
    getOutHasColors: () => false,
  })
  command.outputHelp()
  return `\`\`\`\n${text.trimEnd()}\n\`\`\`\n`
}

function configPage(): string {
  const rows = schemaEntries().map(
    ([key, { doc, env, default: byDefault, must }]) =>
      `| \`${key}\` | \`${env}\` | ${shown(byDefault)} | ${must} | ${doc} |`,
  )
  const runSettings = runSettingKeys.map((key) => `\`${key}\``).join(', ')
  return `# Settings

Generated from the settings' schema (\`src/config/schema.ts\`) by \`npm run docs\`.

Settings are read from one JSON file: that of \`--config FILE\`, otherwise that of \`IMGPIPE_CONFIG\`, otherwise
\`/etc/imgpipe/imgpipe.json\`, which may be missing. The environment variable of a key takes precedence over the file. Both
workers of a pipeline need the same \`bucket\`, \`queue\` and \`region\`.

| key | environment | default | must be | |
|---|---|---|---|---|
${rows.join('\n')}

\`\`\`json
{
  "bucket": "my-images",
  "queue": "imgpipe",
  "region": "us-east-1",
  "minConfidence": 80
}
\`\`\`

- Types are strict: the string \`"90"\` is rejected, as are unknown keys. All errors are reported at once, each with the key,
  the rule, the value and where it was set; the program then exits with 78 and has done nothing.
- \`minConfidence\` is exclusive: a label with a confidence of exactly 90 does not match.
- \`IMGPIPE_REGION\` takes precedence over \`AWS_REGION\`, which takes precedence over the file.
- \`stateDir\` can be used by one reader and one detector; a second one of either is refused. The units are written for
  \`/var/lib/imgpipe\`.
- ${runSettings}: a change of one of these starts a new run. A detector that finds
  an unfinished run with other settings abandons it; the answers that were paid for are kept.
- With \`reuseAnswers\`, \`label\` and \`minConfidence\` can be changed without paying again, down to a confidence of 50.

## AWS SDK settings

Credentials, endpoints and proxies are not settings of imgpipe. The SDK finds them in the usual places:
\`AWS_ACCESS_KEY_ID\` and the like, \`AWS_PROFILE\`, \`~/.aws\`, the instance role, \`AWS_ENDPOINT_URL\`, \`HTTPS_PROXY\`. Expired session
credentials are reloaded automatically when the shared credentials file is updated. \`imgpipe doctor\` shows what it finds.
`
}

function shown(byDefault: string | number | boolean): string {
  return byDefault === '' ? 'empty' : `\`${byDefault}\``
}

if (import.meta.main) for (const [path, text] of Object.entries(pages())) writeFileSync(path, text)

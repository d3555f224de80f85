// Writes the pages that are made from the source: docs/cli.md from the command line itself, docs/config.md from the
// settings' schema. A test compares them, so that they cannot rot: "npm run docs" after a change of either.
import { writeFileSync } from 'node:fs'
import type { Command } from 'commander'
import { createProgram } from '../src/commands/program.ts'
import { schemaEntries } from '../src/config/settings.ts'

const helpWidth = 100

/** Every page by its path in the repository. */
export function pages(): Record<string, string> {
  return { 'docs/cli.md': cliPage(createProgram()), 'docs/config.md': configPage() }
}

function cliPage(program: Command): string {
  const commands = program.commands.map((command) => `## imgpipe ${command.name()}\n\n${help(command)}`)
  return `# The command line

Made from the program's own help by \`npm run docs\`. In a checkout \`npm run imgpipe -- COMMAND\` is \`imgpipe COMMAND\`.
Exit codes and what to do about each: [operations](operations.md#exit-codes).

${help(program)}
${commands.join('\n')}
## Manners

- Results go to standard output, the workers' log and what is wrong to standard error, each in one sentence.
- \`NO_COLOR\` set, \`TERM=dumb\` or a pipe: no colour; where the locale is not UTF-8, no signs beyond ASCII either.
- A mistake in the command line ends with 64, one in the settings with 78.
- A pipe that is closed early (\`imgpipe status | head -1\`) ends a command without a word.
- Ctrl-C ends \`status --watch\` and \`local\` with 0, \`demo\` with 130; a worker finishes what it has in hand, then
  ends with 0.
`
}

/** The help as it is printed on a terminal of 100 columns without colour. */
function help(command: Command): string {
  let text = ''
  command.configureOutput({
    writeOut: (part) => {
      text += part
    },
    getOutHelpWidth: () => helpWidth,
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
  return `# Settings

Made from the settings' schema (\`src/config/schema.ts\`) by \`npm run docs\`.

Settings stand in one JSON file: that of \`--config FILE\`, else that of \`IMGPIPE_CONFIG\`, else
\`/etc/imgpipe/imgpipe.json\`, which may be missing. Each key can be set by its environment variable, which counts
more than the file. Both workers of a pipeline need the same \`bucket\`, \`queue\` and \`region\`.

| key | environment | default | must be | |
|---|---|---|---|---|
${rows.join('\n')}

\`\`\`json
{
  "bucket": "my-pictures",
  "queue": "imgpipe",
  "region": "us-east-1",
  "minConfidence": 80
}
\`\`\`

- Types are strict: \`"90"\` is no number, and an unknown key is a mistake. All mistakes are told together, each with the
  key, the rule, the value and where it stands; the program then ends with 78 and has done nothing.
- \`minConfidence\` is strict: a label of exactly 90 does not count as more than 90.
- \`IMGPIPE_REGION\` counts more than \`AWS_REGION\`, and that more than the file.
- \`stateDir\` belongs to one reader and one detector: a second one of either is refused. The units are written for
  \`/var/lib/imgpipe\`.
- Another \`bucket\`, \`prefix\`, \`maxImages\`, \`label\`, \`minConfidence\`, \`queue\` or \`region\` means another run: a detector
  that finds an unfinished run of other settings gives that one up.

## What is the AWS SDK's own

Credentials and endpoints are no settings of imgpipe. The SDK finds them where it always does: \`AWS_ACCESS_KEY_ID\` and
the like, \`AWS_PROFILE\`, \`~/.aws\`, the instance's role, \`AWS_ENDPOINT_URL\`. Session credentials that end are read again
from the shared file when they have been replaced there, without a restart. \`imgpipe doctor\` tells what it finds.
`
}

function shown(byDefault: string | number): string {
  return byDefault === '' ? 'empty' : `\`${byDefault}\``
}

if (import.meta.main) for (const [path, text] of Object.entries(pages())) writeFileSync(path, text)

import type { Command, Option } from 'commander'
import { examples } from './examples.ts'
import { visibleCommands } from './visible-commands.ts'

/** Adds `imgpipe completion` to the program. */
export function addCompletion(program: Command): void {
  program
    .command('completion')
    .description('print the completion script for bash')
    .addHelpText(
      'after',
      examples(
        ['eval "$(imgpipe completion)"', 'for this shell'],
        [
          'imgpipe completion | sudo tee /etc/bash_completion.d/imgpipe',
          'for all users, from the next login',
        ],
      ),
    )
    .action(() => {
      process.stdout.write(bashCompletion(program))
    })
}

/** A script for bash 4 and later, generated from the program's own commands and options. */
export function bashCompletion(program: Command): string {
  const commands = visibleCommands(program).sort((a, b) => (a.name() < b.name() ? -1 : 1))
  return `# Completion of imgpipe for bash: eval "$(imgpipe completion)", or a file in /etc/bash_completion.d
_imgpipe() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]} command='' at
  # Bash treats "=" as a word of its own: "--port=" is two words, "--port=45" three.
  [[ $word != = ]] || word=''
  [[ $before != = ]] || before=\${COMP_WORDS[COMP_CWORD-2]}
  for ((at = 1; at < COMP_CWORD; at++)); do
    case \${COMP_WORDS[at]} in
      --config|--pipeline) ((at++)) ;;
      -*) ;;
      *) command=\${COMP_WORDS[at]} && break ;;
    esac
  done
  COMPREPLY=()
  case $command in
${commands.map(commandCase).join('\n')}
    help) _imgpipe_words ${quoted(commands.map((command) => command.name()))} ;;
    *)
${valueCases(program)}
      _imgpipe_words ${quoted([...commands.map((command) => command.name()), 'help', ...optionWords(program)])} ;;
  esac
}
_imgpipe_words() { mapfile -t COMPREPLY < <(compgen -W "$1" -- "$word"); }
_imgpipe_paths() { compopt -o filenames 2>/dev/null; mapfile -t COMPREPLY < <(compgen "$1" -- "$word"); }
_imgpipe_pipelines() {
  local file names=''
  for file in /etc/imgpipe/*.json; do
    file=\${file##*/}
    [[ $file == '*.json' || $file == imgpipe.json ]] || names+=" \${file%.json}"
  done
  _imgpipe_words "$names"
}
_imgpipe_runs() { _imgpipe_words "$("\${COMP_WORDS[0]}" runs 2>/dev/null | awk 'NR > 1 { print $1 }')"; }
complete -F _imgpipe imgpipe
`
}

function commandCase(command: Command): string {
  const options = `_imgpipe_words ${quoted(optionWords(command))}`
  const [argument] = command.registeredArguments
  const values = argument?.name() === 'run' ? '_imgpipe_runs' : '_imgpipe_paths -d'
  const otherwise = argument ? `if [[ $word == -* ]]; then ${options}; else ${values}; fi` : options
  return `    ${command.name()})
${valueCases(command)}
      ${otherwise} ;;`
}

/** What may follow an option that takes a value: by the placeholder of the value in the help. */
function valueCases(command: Command): string {
  const cases = command.options.filter(({ required }) => required).map(valueCase)
  return `      case $before in
${cases.map((line) => `        ${line}`).join('\n')}
      esac`
}

function valueCase({ long, flags, argChoices }: Option): string {
  if (argChoices) return `${long}) _imgpipe_words ${quoted(argChoices)}; return ;;`
  if (flags.includes('<file>')) return `${long}) _imgpipe_paths -f; return ;;`
  if (flags.includes('<directory>')) return `${long}) _imgpipe_paths -d; return ;;`
  if (flags.includes('<id>')) return `${long}) _imgpipe_runs; return ;;`
  if (long === '--pipeline') return `${long}) _imgpipe_pipelines; return ;;`
  return `${long}) return ;;`
}

function optionWords(command: Command): string[] {
  return [...command.options.map(({ long }) => long ?? ''), '--help']
}

function quoted(words: readonly string[]): string {
  return `'${words.join(' ')}'`
}

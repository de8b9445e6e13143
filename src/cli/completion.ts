import { Argument, type Command } from 'commander'
import { examples } from './options.ts'
import type { Shell } from './shell.ts'

const SHELLS = ['bash', 'zsh', 'fish'] as const
type ShellName = (typeof SHELLS)[number]

export function completionCommand(program: Command, shell: Shell): void {
  program
    .command('completion')
    .description('print a script that completes commands and options in your shell')
    .addArgument(new Argument('<shell>', 'its name').choices(SHELLS))
    .addHelpText(
      'after',
      examples([
        ['source <(merganser completion bash)', 'in ~/.bashrc'],
        ['source <(merganser completion zsh)', 'in ~/.zshrc, after compinit'],
        ['merganser completion fish | source', 'in ~/.config/fish/config.fish'],
      ]),
    )
    .action(async (name: ShellName) => {
      const commands = program.commands.map((command) => wordsOf(command))
      await shell.print({ bash, zsh, fish }[name](commands))
    })
}

interface Words {
  readonly name: string
  readonly description: string
  readonly options: readonly { readonly flag: string; readonly description: string; readonly value: boolean }[]
}

function wordsOf(command: Command): Words {
  const options = command.options.map(({ long, description, required }) => ({
    flag: long ?? '',
    description,
    value: required,
  }))
  return {
    name: command.name(),
    description: command.description(),
    options: [...options, { flag: '--help', description: 'show help', value: false }],
  }
}

/** For the inside of single quotes. */
function plain(text: string): string {
  return text.replaceAll(/['\\:[\]`$]/g, ' ')
}

function bash(commands: readonly Words[]): string {
  const cases = commands.map(({ name, options }) => {
    return `    ${name}) words='${options.map(({ flag }) => flag).join(' ')}' ;;`
  })
  return `_merganser() {
  local words='' current="\${COMP_WORDS[COMP_CWORD]}"
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W '${commands.map(({ name }) => name).join(' ')} help --help --version' -- "$current"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
    help) words='${commands.map(({ name }) => name).join(' ')}' ;;
  esac
  case "$current" in
    -*) COMPREPLY=($(compgen -W "$words" -- "$current")) ;;
    *) COMPREPLY=($(compgen -f -- "$current")) ;;
  esac
}
complete -o filenames -F _merganser merganser
`
}

function zsh(commands: readonly Words[]): string {
  const cases = commands.map(({ name, options }) => {
    const specs = options.map(({ flag, description, value }) => {
      return `'${flag}[${plain(description)}]${value ? ':value:_files' : ''}'`
    })
    return `    ${name}) _arguments ${specs.join(' ')} '*:file:_files' ;;`
  })
  return `#compdef merganser
_merganser() {
  local -a commands
  commands=(${commands.map(({ name, description }) => `'${name}:${plain(description)}'`).join(' ')})
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command="$words[2]"
  shift words
  (( CURRENT-- ))
  case "$command" in
${cases.join('\n')}
  esac
}
compdef _merganser merganser
`
}

function fish(commands: readonly Words[]): string {
  const lines = commands.flatMap(({ name, description, options }) => [
    `complete -c merganser -n __fish_use_subcommand -f -a ${name} -d '${plain(description)}'`,
    ...options.map(({ flag, description: text, value }) => {
      const of = `-n '__fish_seen_subcommand_from ${name}'`
      return `complete -c merganser ${of} -l ${flag.slice(2)}${value ? ' -r' : ''} -d '${plain(text)}'`
    }),
  ])
  return `${lines.join('\n')}\n`
}

/**
 * Completion for shells, made from the definitions of the commands and their
 * flags, so that it knows what the command knows. Pure.
 */
import type { Command, Option } from 'commander'

export const shells = ['bash', 'zsh', 'fish'] as const
export type Shell = (typeof shells)[number]

/** What is completed behind a flag. */
type Value = { words: readonly string[] } | 'files' | 'folders' | 'nothing'

export function completionFor(shell: Shell, program: Command): string {
  const makers = { bash: bashOf, zsh: zshOf, fish: fishOf }
  return makers[shell](program)
}

/** Of a command, and of all of them. */
function optionsOf(command: Command): Option[] {
  const help = command.createHelp()
  return help
    .visibleOptions(command)
    .concat(help.visibleGlobalOptions(command))
    .filter(({ hidden }) => !hidden)
}

function namesOf({ short, long }: Option): string[] {
  return [short, long].filter((name) => name !== undefined)
}

function valueOf(option: Option): Value {
  if (option.isBoolean()) return 'nothing'
  if (option.argChoices !== undefined) return { words: option.argChoices }
  if (/<(?:file|path)>/.test(option.flags)) return 'files'
  return option.flags.includes('<dir>') ? 'folders' : 'nothing'
}

function takesFiles(command: Command): boolean {
  return command.registeredArguments.some(({ variadic, argChoices }) =>
    argChoices === undefined
      ? variadic || /put|discard|status|serve/.test(command.name())
      : false,
  )
}

/** Words that an argument can be. */
function wordsOf(command: Command): readonly string[] {
  return command.registeredArguments.flatMap(
    ({ argChoices }) => argChoices ?? [],
  )
}

function bashOf(program: Command): string {
  const commands = program.commands
  const names = commands.map((command) => command.name()).join(' ')
  const cases = commands.map((command) => {
    const options = optionsOf(command)
    const flags = options.flatMap(namesOf).join(' ')
    const values = options
      .filter((option) => !option.isBoolean())
      .map((option) => {
        const value = valueOf(option)
        const reply =
          value === 'files'
            ? '-f'
            : value === 'folders'
              ? '-d'
              : value === 'nothing'
                ? "-W ''"
                : `-W '${value.words.join(' ')}'`
        return `        ${namesOf(option).join('|')}) COMPREPLY=($(compgen ${reply} -- "$word")); return ;;`
      })
    const words = wordsOf(command)
    const rest =
      words.length > 0
        ? `-W '${words.join(' ')}'`
        : takesFiles(command)
          ? '-f'
          : "-W ''"
    return [
      `    ${command.name()})`,
      '      case "$before" in',
      ...values,
      '      esac',
      `      if [[ $word == -* ]]; then COMPREPLY=($(compgen -W '${flags}' -- "$word"))`,
      `      else COMPREPLY=($(compgen ${rest} -- "$word")); fi ;;`,
    ].join('\n')
  })
  return `# bash completion for pawl: eval "$(pawl completion bash)"
_pawl() {
  local word="\${COMP_WORDS[COMP_CWORD]}" before="\${COMP_WORDS[COMP_CWORD-1]}"
  if [[ $COMP_CWORD -eq 1 ]]; then
    COMPREPLY=($(compgen -W '${names} --help --version' -- "$word"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${cases.join('\n')}
  esac
}
complete -o filenames -F _pawl pawl
`
}

function zshOf(program: Command): string {
  const commands = program.commands
  const list = commands
    .map(
      (command) => `    '${command.name()}:${quoted(command.description())}'`,
    )
    .join('\n')
  const cases = commands.map((command) => {
    const flags = optionsOf(command).flatMap((option) =>
      namesOf(option).map((name) => zshFlag(option, name)),
    )
    const words = wordsOf(command)
    const rest =
      words.length > 0
        ? `'*:word:(${words.join(' ')})'`
        : takesFiles(command)
          ? "'*:file:_files'"
          : "'*: :'"
    const all = [...flags, rest].map((flag) => `        ${flag}`)
    return `    ${command.name()})\n      _arguments \\\n${all.join(' \\\n')}\n      ;;`
  })
  return `#compdef pawl
# zsh completion for pawl: pawl completion zsh > a folder of $fpath/_pawl
_pawl() {
  local -a commands
  commands=(
${list}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${cases.join('\n')}
  esac
}
if [[ $funcstack[1] == _pawl ]]; then _pawl "$@"; else compdef _pawl pawl; fi
`
}

function zshFlag(option: Option, name: string): string {
  const text = quoted(option.description).replaceAll(/[[\]:]/g, '\\$&')
  const value = valueOf(option)
  const end = option.isBoolean()
    ? ''
    : value === 'files'
      ? ':file:_files'
      : value === 'folders'
        ? ':directory:_files -/'
        : value === 'nothing'
          ? ':value: '
          : `:value:(${value.words.join(' ')})`
  const star = option.description.includes('repeatable') ? '*' : ''
  return `'${star}${name}[${text}]${end}'`
}

function fishOf(program: Command): string {
  const commands = program.commands
  const lines = [
    '# fish completion for pawl: pawl completion fish > ~/.config/fish/completions/pawl.fish',
    'complete -c pawl -f',
  ]
  for (const command of commands) {
    const name = command.name()
    const seen = `-n '__fish_seen_subcommand_from ${name}'`
    lines.push(
      `complete -c pawl -n __fish_use_subcommand -a ${name} -d '${fishQuoted(command.description())}'`,
    )
    const words = wordsOf(command)
    if (words.length > 0) {
      lines.push(`complete -c pawl ${seen} -a '${words.join(' ')}'`)
    } else if (takesFiles(command)) lines.push(`complete -c pawl ${seen} -F`)
    for (const option of optionsOf(command)) {
      const value = valueOf(option)
      const end = option.isBoolean()
        ? ''
        : value === 'files' || value === 'folders'
          ? ' -r -F'
          : value === 'nothing'
            ? ' -x'
            : ` -x -a '${value.words.join(' ')}'`
      const short =
        option.short === undefined ? '' : ` -s ${option.short.slice(1)}`
      const long =
        option.long === undefined ? '' : ` -l ${option.long.slice(2)}`
      lines.push(
        `complete -c pawl ${seen}${short}${long}${end} -d '${fishQuoted(option.description)}'`,
      )
    }
  }
  return `${lines.join('\n')}\n`
}

/** Within single quotes of a POSIX shell. */
function quoted(text: string): string {
  return text.replaceAll("'", `'\\''`)
}

function fishQuoted(text: string): string {
  return text.replaceAll(/['\\]/g, '\\$&')
}

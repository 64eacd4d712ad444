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

/** What the arguments of a command can be. */
function argumentsOf(command: Command): Value {
  const words = wordsOf(command)
  if (words.length > 0) return { words }
  const { registeredArguments } = command
  const [first] = registeredArguments
  if (first?.name() === 'dir') return 'folders'
  // Of a fleet, whose name is in no directory.
  if (first?.name() === 'fleet') return 'nothing'
  const takesFiles = registeredArguments.some(
    ({ variadic }) =>
      variadic || /put|discard|status|serve/.test(command.name()),
  )
  return takesFiles ? 'files' : 'nothing'
}

/** Words that an argument can be. */
function wordsOf(command: Command): readonly string[] {
  return command.registeredArguments.flatMap(
    ({ argChoices }) => argChoices ?? [],
  )
}

/** What bash replies with. */
function compgen(value: Value): string {
  if (value === 'files') return '-f'
  if (value === 'folders') return '-d'
  return value === 'nothing' ? "-W ''" : `-W '${value.words.join(' ')}'`
}

/** The words behind a command, which is the word number `at` of the line. */
function bashCase(command: Command, at: number): string {
  const inner = command.commands
  if (inner.length > 0) return bashGroup(command, at)
  const options = optionsOf(command)
  const flags = options.flatMap(namesOf).join(' ')
  const values = options
    .filter((option) => !option.isBoolean())
    .map((option) => {
      const reply = compgen(valueOf(option))
      return `        ${namesOf(option).join('|')}) COMPREPLY=($(compgen ${reply} -- "$word")); return ;;`
    })
  return [
    `    ${command.name()})`,
    '      case "$before" in',
    ...values,
    '      esac',
    `      if [[ $word == -* ]]; then COMPREPLY=($(compgen -W '${flags}' -- "$word"))`,
    `      else COMPREPLY=($(compgen ${compgen(argumentsOf(command))} -- "$word")); fi ;;`,
  ].join('\n')
}

function bashGroup(command: Command, at: number): string {
  const names = command.commands.map((inner) => inner.name()).join(' ')
  return [
    `    ${command.name()})`,
    `      if [[ $COMP_CWORD -eq ${at + 1} ]]; then`,
    `        COMPREPLY=($(compgen -W '${names} --help' -- "$word"))`,
    '        return',
    '      fi',
    `      case "\${COMP_WORDS[${at + 1}]}" in`,
    ...command.commands.map((inner) => bashCase(inner, at + 1)),
    '      esac ;;',
  ].join('\n')
}

function bashOf(program: Command): string {
  const { commands } = program
  const names = commands.map((command) => command.name()).join(' ')
  const cases = commands.map((command) => bashCase(command, 1))
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

/** Completes one of some commands, and then what is behind it. */
function zshGroup(commands: readonly Command[]): string {
  const list = commands
    .map(
      (command) => `    '${command.name()}:${quoted(command.description())}'`,
    )
    .join('\n')
  return `  commands=(
${list}
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  command=$words[2]
  shift words
  (( CURRENT-- ))
  case $command in
${commands.map(zshCase).join('\n')}
  esac`
}

function zshCase(command: Command): string {
  if (command.commands.length > 0) {
    return `    ${command.name()})\n${zshGroup(command.commands)}\n      ;;`
  }
  const flags = optionsOf(command).flatMap((option) =>
    namesOf(option).map((name) => zshFlag(option, name)),
  )
  const value = argumentsOf(command)
  const rest =
    value === 'files'
      ? "'*:file:_files'"
      : value === 'folders'
        ? "'*:directory:_files -/'"
        : value === 'nothing'
          ? "'*: :'"
          : `'*:word:(${value.words.join(' ')})'`
  const all = [...flags, rest].map((flag) => `        ${flag}`)
  return `    ${command.name()})\n      _arguments \\\n${all.join(' \\\n')}\n      ;;`
}

function zshOf(program: Command): string {
  return `#compdef pawl
# zsh completion for pawl: pawl completion zsh > a folder of $fpath/_pawl
_pawl() {
  local -a commands
  local command
${zshGroup(program.commands)}
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

function fishOf({ commands }: Command): string {
  const groups = commands.filter((command) => command.commands.length > 0)
  const lines = [
    '# fish completion for pawl: pawl completion fish > ~/.config/fish/completions/pawl.fish',
    'complete -c pawl -f',
  ]
  for (const command of commands) {
    const name = command.name()
    lines.push(fishCommand(command, '__fish_use_subcommand'))
    // Some words name a command of a group as well.
    const others = groups
      .filter(
        (group) =>
          group !== command &&
          group.commands.some((inner) => inner.name() === name),
      )
      .map((group) => `; and not ${fishSeen([group])}`)
    const seen = `${fishSeen([command])}${others.join('')}`
    if (!groups.includes(command)) lines.push(...fishWords(command, seen))
    for (const inner of command.commands) {
      lines.push(
        fishCommand(inner, `${seen}; and not ${fishSeen(command.commands)}`),
        ...fishWords(inner, `${seen}; and ${fishSeen([inner])}`),
      )
    }
  }
  return `${lines.join('\n')}\n`
}

function fishSeen(commands: readonly Command[]): string {
  const names = commands.map((command) => command.name())
  return `__fish_seen_subcommand_from ${names.join(' ')}`
}

function fishCommand(command: Command, when: string): string {
  const about = fishQuoted(command.description())
  return `complete -c pawl -n '${when}' -a ${command.name()} -d '${about}'`
}

function fishWords(command: Command, when: string): string[] {
  const seen = `-n '${when}'`
  const value = argumentsOf(command)
  const rest =
    value === 'nothing'
      ? []
      : value === 'files' || value === 'folders'
        ? [`complete -c pawl ${seen} -F`]
        : [`complete -c pawl ${seen} -a '${value.words.join(' ')}'`]
  const flags = optionsOf(command).map((option) => {
    const { short, long } = option
    const of = valueOf(option)
    const end = option.isBoolean()
      ? ''
      : of === 'files' || of === 'folders'
        ? ' -r -F'
        : of === 'nothing'
          ? ' -x'
          : ` -x -a '${of.words.join(' ')}'`
    const names = [
      ...(short === undefined ? [] : [`-s ${short.slice(1)}`]),
      ...(long === undefined ? [] : [`-l ${long.slice(2)}`]),
    ].join(' ')
    return `complete -c pawl ${seen} ${names}${end} -d '${fishQuoted(option.description)}'`
  })
  return [...rest, ...flags]
}

/** Within single quotes of a POSIX shell. */
function quoted(text: string): string {
  return text.replaceAll("'", `'\\''`)
}

function fishQuoted(text: string): string {
  return text.replaceAll(/['\\]/g, '\\$&')
}

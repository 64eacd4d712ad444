/** The manual page, made from the definitions of the commands and flags. Pure. */
import type { Command } from 'commander'

export interface ManPageOptions {
  version: string
  /** Further sections: a heading, and text that stays as it is laid out. */
  sections: readonly (readonly [heading: string, text: string])[]
}

/** In the language of man(7). */
export function manPage(
  program: Command,
  { version, sections }: ManPageOptions,
): string {
  const commands = leavesOf(program)
  const lines = [
    `.TH PAWL 1 "" "pawl ${roff(version)}" "User Commands"`,
    '.SH NAME',
    `pawl \\- ${roff(program.description().replace(/\.$/, '').toLowerCase())}`,
    '.SH SYNOPSIS',
    '.nf',
    ...commands.map((command) => roff(synopsisOf(command))),
    '.fi',
  ]
  lines.push('.SH OPTIONS', ...optionsOf(program))
  for (const command of commands) lines.push(...sectionOf(command))
  for (const [heading, text] of sections) {
    lines.push(`.SH ${roff(heading)}`, '.nf', roff(text), '.fi')
  }
  return `${lines.join('\n')}\n`
}

/** Commands that do something: of a group, those in it. */
function leavesOf({ commands }: Command): Command[] {
  return commands.flatMap((command) =>
    command.commands.length > 0 ? leavesOf(command) : [command],
  )
}

/** With the group that it is in. */
function wordsOf(command: Command): string {
  const { parent } = command
  return parent?.parent == null
    ? command.name()
    : `${wordsOf(parent)} ${command.name()}`
}

function synopsisOf(command: Command): string {
  return `pawl ${wordsOf(command)} ${command.usage()}`.replaceAll(
    /\n\s*/g,
    '\n',
  )
}

function sectionOf(command: Command): string[] {
  return [
    `.SH PAWL ${roff(wordsOf(command).toUpperCase())}`,
    roff(command.description()),
    ...optionsOf(command),
  ]
}

/** In the groups that the help has. */
function optionsOf(command: Command): string[] {
  const help = command.createHelp()
  const options = help.visibleOptions(command)
  const groups = new Map<string, typeof options>()
  for (const option of options) {
    const name = option.helpGroupHeading ?? 'Options:'
    groups.set(name, [...(groups.get(name) ?? []), option])
  }
  return [...groups].flatMap(([name, group]) => [
    `.SS ${roff(name.replace(/:$/, ''))}`,
    ...group.flatMap((option) => [
      '.TP',
      `.B ${roff(option.flags)}`,
      roff(help.optionDescription(option)) || '\\&',
    ]),
  ])
}

/** Text that means itself. */
export function roff(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .split('\n')
    .map((line) => (/^[.']/.test(line) ? `\\&${line}` : line))
    .join('\n')
}

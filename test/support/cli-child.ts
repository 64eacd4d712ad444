/** Runs the command `pawl`, plain or in a pseudo-terminal, and reads what it says. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { bareNode } from './bare-node.js'
import { compiledPrograms } from './compiled.js'

export interface CliOptions {
  cwd: string
  env?: Record<string, string>
  /** Written to standard input, which then ends. Without it there is none. */
  input?: Uint8Array
  /** Of the terminal. */
  columns?: number
}

export interface CliEnd {
  code: number | null
  signal: string | null
  out: string
  /** In a terminal empty: all of it is in `out`. */
  log: string
}

export interface CliChild {
  /** Resolves when standard output or error has a match; rejects at the end. */
  until(pattern: RegExp): Promise<void>
  /** Standard output so far. */
  said(): string
  kill(signal: NodeJS.Signals): void
  /** Reads its standard output no further, as `head` does. */
  closeOutput(): void
  /** Types into the terminal. */
  type(text: string): void
  readonly ended: Promise<CliEnd>
}

/**
 * Secrets and settings of this machine must not reach the command, or its output;
 * no server for the metadata of a machine is asked.
 */
function environment({ cwd, env }: CliOptions): NodeJS.ProcessEnv {
  const { PATH } = process.env
  return {
    PATH,
    HOME: cwd,
    TERM: 'xterm',
    COLUMNS: '120',
    AWS_EC2_METADATA_DISABLED: 'true',
    ALIBABA_CLOUD_ECS_METADATA_DISABLED: 'true',
    ...env,
  }
}

export function startCli(
  args: readonly string[],
  options: CliOptions,
): CliChild {
  const { cwd, input } = options
  const child = spawn(...bareNode(cliPath(), ...args), {
    cwd,
    env: environment(options),
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  })
  // It may stop reading before the end.
  child.stdin?.on('error', () => undefined)
  if (input !== undefined) child.stdin?.end(input)
  return watch(child)
}

/** Runs a line of bash in which `pawl` is the command. */
export function startScript(
  script: string,
  options: Omit<CliOptions, 'input' | 'columns'>,
): CliChild {
  const { cwd } = options
  const child = spawn('bash', ['-c', script], {
    cwd,
    env: withPawl(options),
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  return watch(child)
}

/** The same with a terminal for all three standard streams. */
export function startScriptInTerminal(
  script: string,
  options: Omit<CliOptions, 'input' | 'columns'>,
): CliChild {
  const { cwd } = options
  const [terminal, ...rest] = terminalFor(['bash', '-c', script])
  const child = spawn(terminal ?? 'false', rest, {
    cwd,
    env: withPawl(options),
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  return watch(child)
}

function withPawl(options: CliOptions): NodeJS.ProcessEnv {
  const own = environment(options)
  return { ...own, PATH: `${own['PATH']}:${join(compiledPrograms(), 'bin')}` }
}

/** The same as `startCli` with a terminal for all three standard streams. */
export function startInTerminal(
  args: readonly string[],
  options: CliOptions,
): CliChild {
  const { cwd, columns = 120 } = options
  const size = `stty columns ${columns} rows 24 && exec "$@"`
  const program = bareNode(cliPath(), ...args).flat()
  const command = ['sh', '-c', size, 'sh', ...program]
  const [terminal, ...rest] = terminalFor(command)
  const child = spawn(terminal ?? 'false', rest, {
    cwd,
    env: environment(options),
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  return watch(child)
}

function cliPath(): string {
  return join(compiledPrograms(), 'lib/cli/main.js')
}

const python = `import os, pty, sys
sys.exit(os.waitstatus_to_exitcode(pty.spawn(sys.argv[1:])))`

/** util-linux's script, or else Python; without both the test must fail. */
function terminalFor(command: readonly string[]): string[] {
  const quoted = command.map((word) => `'${word.replaceAll("'", `'\\''`)}'`)
  return isUtilLinux()
    ? ['script', '-qec', `exec ${quoted.join(' ')}`, '/dev/null']
    : ['python3', '-c', python, ...command]
}

function isUtilLinux(): boolean {
  try {
    return execFileSync('script', ['--version'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).includes('util-linux')
  } catch {
    return false
  }
}

function watch(child: ChildProcess): CliChild {
  let out = ''
  let log = ''
  let isEnded = false
  const waiting: {
    pattern: RegExp
    resolve: () => void
    reject: (error: Error) => void
  }[] = []
  const look = (): void => {
    for (const { pattern, resolve } of waiting) {
      if (pattern.test(out) || pattern.test(log)) resolve()
    }
  }
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    out += text
    look()
  })
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    log += text
    look()
  })
  const ended = new Promise<CliEnd>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      isEnded = true
      const late = new Error(`it ended with ${code ?? signal}: ${out}${log}`)
      for (const { reject: give } of waiting) give(late)
      resolve({ code, signal, out, log })
    })
  })
  return {
    ended,
    until: (pattern) =>
      new Promise((resolve, reject) => {
        waiting.push({ pattern, resolve, reject })
        look()
        if (isEnded) reject(new Error(`it has ended: ${out}${log}`))
      }),
    said: () => out,
    kill: (signal) => void child.kill(signal),
    closeOutput: () => void child.stdout?.destroy(),
    type: (text) => void child.stdin?.write(text),
  }
}

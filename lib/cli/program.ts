/** The command line: commands, flags, help. What they do is in their own files. */
import process from 'node:process'
import { Argument, Command, CommanderError, Option } from 'commander'
import { UploadError } from '../index.js'
import { customerKeyHeaders } from './customer-key.js'
import { completionFor, shells } from './completion.js'
import { discard } from './discard.js'
import { exitCodes, type TaskKind } from './exit-code.js'
import { failureText } from './failure.js'
import {
  type FleetFlags,
  type FleetPlanFlags,
  type FleetTask,
  type FleetWorkFlags,
  planFleetOf,
  retryFleetOf,
  tellFleet,
  workOnFleets,
} from './fleet.js'
import { generalHelp, putHelp, sections } from './help-texts.js'
import { errorFields } from './json-reporter.js'
import { manPage } from './man-page.js'
import { addPutFlags, type PutFlags } from './put-options.js'
import { put } from './put.js'
import { serve, type ServeFlags } from './serve.js'
import { runTask, type CommonFlags, type Task } from './task.js'
import { openLogEngine } from './log-engine.js'
import { StandardOutput } from './standard-output.js'
import { engineStatus, status } from './status.js'
import { openTarget, type StoreFlags, type Target } from './target.js'
import { parseDuration, parseSize, parseWholeNumber } from './units.js'
import {
  abort,
  uploads,
  type AbortFlags,
  type UploadsFlags,
} from './uploads.js'

type Flags = CommonFlags & StoreFlags

interface DiscardFlags {
  patience?: number
  checkpoint?: string
  checkpointDir?: string
  log?: string
  sourceId?: string
  trustLog?: boolean
}

interface StatusFlags {
  log?: string
  sourceId?: string
}

/** Runs a command line and resolves to its exit code. */
export async function run(
  args: readonly string[],
  version: string,
): Promise<number> {
  const { stdout, stderr } = process
  const written = new StandardOutput([stdout, stderr])
  /** Undefined while nothing but text was asked for. */
  let code: number | undefined
  const act = async (
    flags: CommonFlags,
    work: (task: Task) => Promise<void>,
    kind: TaskKind = 'other',
  ): Promise<void> => {
    code = await runTask(flags, work, kind)
  }
  const program = new Command('pawl')
    .description('Resumable uploads to Alibaba Cloud OSS and S3.')
    .version(version)
    .addHelpText('after', generalHelp)
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({
      outputError: (text, write) => {
        const error = misuseOf(text)
        write(`${failureText(error, 'other')}\n`)
        if (args.includes('--json')) {
          const line = { event: 'error', ...errorFields(error) }
          stdout.write(`${JSON.stringify(line)}\n`)
        }
      },
    })
    .exitOverride()

  addPutFlags(withStore(program.command('put')))
    .description(
      'Upload files, standard input (-), or what a command prints (--exec).',
    )
    .usage('[options] <file...> <url>\n       pawl put [options] - <url>')
    .argument('<source-or-url...>', 'files or -, and last the URL')
    .addHelpText('after', putHelp)
    .action((names: string[], flags: Flags & PutFlags) => {
      const url = names.at(-1) ?? ''
      const sources = names.slice(0, -1)
      const isStream = flags.exec !== undefined || sources.includes('-')
      return act(
        flags,
        async (task) => {
          if (sources.length === 0 && flags.exec === undefined) {
            task.misuse('name what to upload: files, - or --exec, then the URL')
          }
          await withTarget(url, flags, async (target) => {
            const own = await customerKeyHeaders(
              flags.customerKey,
              target.service,
              process.env,
            )
            const header = own && { header: { ...flags.header, ...own } }
            const all = { ...flags, ...header }
            await put({ ...task, sources, target, flags: all })
          })
        },
        isStream ? 'stream' : 'file',
      )
    })

  withStore(program.command('status'))
    .description(
      'What logs of uploads and jobs say. Changes nothing, and asks only who has the log.',
    )
    .argument(
      '[log...]',
      'default: those here and in the state directory; with --log bucket the URL of the object',
    )
    .option('--log <url>', 'bucket, redis://host/0#name or postgres://…#name')
    .option('--source-id <text>', 'with --log bucket, when it was said')
    .action((names: string[], flags: Flags & StatusFlags) =>
      act(flags, (task) => statusOf(names, flags, task)),
    )

  withStore(program.command('uploads'))
    .description('Unfinished uploads under a URL, with age and size.')
    .argument('<url>')
    .option('--no-sizes', 'ask only for the list: fewer requests, no sizes')
    .option(
      '--older-than <time>',
      'only those of which nothing was stored since, such as 7d',
      parseDuration,
    )
    .action((url: string, flags: Flags & UploadsFlags) =>
      act(flags, ({ out, log, isJson, interrupts: { signal } }) =>
        withTarget(url, flags, (target) =>
          uploads({ target, out, log, isJson, signal }, flags),
        ),
      ),
    )

  withStore(program.command('abort'))
    .description(
      'Abort unfinished uploads under a URL that nobody goes on with.',
    )
    .argument('<url>')
    .requiredOption(
      '--older-than <time>',
      'since the newest part was stored, such as 7d',
      parseDuration,
    )
    .option('--dry-run', 'say what would be aborted, abort nothing')
    .action((url: string, flags: Flags & AbortFlags) =>
      act(flags, ({ out, log, isJson, interrupts: { signal } }) =>
        withTarget(url, flags, (target) =>
          abort({ target, out, log, isJson, signal }, flags),
        ),
      ),
    )

  withStore(program.command('discard'))
    .description('Give up one unfinished upload, by its file or its log.')
    .argument('<file|log>', 'with --log - for what was no file')
    .argument('<url>')
    .option('--checkpoint <path>', 'the log, when it was said for the upload')
    .option('--checkpoint-dir <dir>', 'its directory, when that was said')
    .option('--log <url>', 'bucket, redis://host/0#name or postgres://…#name')
    .option('--source-id <text>', 'with --log bucket, when it was said')
    .option('--trust-log', 'the log may be owned or written by others')
    .action((path: string, url: string, flags: Flags & DiscardFlags) =>
      act(flags, ({ out, isJson }) =>
        withTarget(url, flags, (target) =>
          discard({
            path,
            target,
            checkpoint: flags.checkpoint,
            checkpointDir: flags.checkpointDir,
            log: flags.log,
            sourceId: flags.sourceId,
            trustLog: flags.trustLog,
            patience: flags.patience,
            out,
            isJson,
          }),
        ),
      ),
    )

  addFleetCommands(program, act)

  withCommon(program.command('serve'))
    .description('An OSS and S3 server for development, on this machine.')
    .argument('<dir>', 'where objects are kept')
    .option('--port <port>', 'default: a free one', parseWholeNumber)
    .option('--host <host>', 'default: 127.0.0.1')
    .option('--allow-remote', 'let other machines in; needs a key of your own')
    .addOption(
      new Option('--access-key <id>', 'accepted instead of dev').env(
        'PAWL_SERVE_ACCESS_KEY',
      ),
    )
    // Whoever sees the list of processes sees its flags.
    .addOption(
      new Option('--secret-key <secret>', 'its secret').env(
        'PAWL_SERVE_SECRET_KEY',
      ),
    )
    .option('--bucket <name...>', 'buckets that exist; default: any')
    .action((directory: string, flags: CommonFlags & ServeFlags) =>
      act(flags, async ({ out, interrupts }) => {
        const { signal } = interrupts
        await serve(directory, flags, { out, log: process.stderr, signal })
        interrupts.forget()
      }),
    )

  program
    .command('completion')
    .description('What completes commands and flags in a shell.')
    .addArgument(new Argument('<shell>').choices(shells))
    .action((name: string) => {
      const shell = shells.find((known) => known === name)
      if (shell !== undefined) {
        process.stdout.write(completionFor(shell, program))
      }
    })

  program
    .command('man')
    .description('The manual page: pawl man > pawl.1; man ./pawl.1')
    .action(() => {
      process.stdout.write(manPage(program, { version, sections }))
    })

  program.showHelpAfterError('See pawl --help.')
  for (const command of program.commands) {
    command.showHelpAfterError(`See pawl ${command.name()} --help.`)
  }
  try {
    await program.parseAsync(args, { from: 'user' })
    return code ?? (await written.exitCode(stdout, stderr))
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    if (error.exitCode !== 0) return exitCodes.usage
    return await written.exitCode(stdout, stderr)
  } finally {
    written.forget()
  }
}

/** Like all other errors. */
function misuseOf(text: string): UploadError {
  const message = text.replace(/^error: /, '').trim()
  return new UploadError('PAWL_INVALID_OPTION', message)
}

function withCommon(command: Command): Command {
  return command
    .option('--json', 'one event a line on standard output')
    .option('--debug', 'stacks of errors')
}

export function withStore(command: Command): Command {
  return withCommon(command)
    .optionsGroup('Store:')
    .option('--endpoint <url>', 'OSS_ENDPOINT, AWS_ENDPOINT_URL')
    .option('--region <region>', 'OSS_REGION, AWS_REGION')
    .option('--internal', 'OSS: from inside the region')
    .option('--accelerate', 'OSS: transfer acceleration')
    .option('--addressing <how>', 'virtual, path or cname')
    .option('--profile <name>', 'of ~/.aws, ~/.ossutilconfig or ~/.aliyun')
    .option(
      '--credential-process <command>',
      'a command that prints credentials as JSON',
    )
    .addOption(
      new Option('--checksum <name>', "S3: the server's own checksums").choices(
        ['crc64nvme'],
      ),
    )
    .addOption(
      new Option(
        '--signature <version>',
        'OSS: v1 for old deployments',
      ).choices(['v4', 'v1']),
    )
    .option('--equal-parts', 'S3: all parts but the last of one size')
    .option('--identity <name>', 'of the bucket, for logs of other host names')
    .optionsGroup('Network:')
    .option('--proxy <url>', 'default: HTTPS_PROXY, HTTP_PROXY, NO_PROXY')
    .option('--ca <file>', 'authorities to trust; AWS_CA_BUNDLE')
    .option(
      '--patience <time>',
      'requests fail and nothing is stored (120s)',
      parseDuration,
    )
}

/** `pawl fleet plan|work|status|retry`. */
function addFleetCommands(
  program: Command,
  act: (
    flags: CommonFlags,
    work: (task: Task) => Promise<void>,
  ) => Promise<void>,
): void {
  const fleet = program
    .command('fleet')
    .description('Many files by many machines, on BullMQ (see docs/fleet.md).')
  const withQueue = (name: string): Command =>
    withStore(fleet.command(name))
      .optionsGroup('Queue:')
      // It may have a password, and who sees the list of processes sees its flags.
      .addOption(
        new Option('--queue <url>', 'redis://host:port/db')
          .env('PAWL_QUEUE')
          .makeOptionMandatory(),
      )
      .option('--queue-name <name>', 'of the queue (pawl)')
  const on = (
    url: string,
    flags: Flags & FleetFlags,
    work: (task: FleetTask) => Promise<void>,
    wrong?: string,
  ): Promise<void> =>
    act(flags, (task) => {
      if (wrong !== undefined) task.misuse(wrong)
      const { out, log, isJson, interrupts } = task
      const { signal } = interrupts
      return withTarget(url, flags, (target) =>
        work({ target, flags, out, log, isJson, signal }),
      )
    })

  withQueue('plan')
    .description(
      'Plan the files of a directory, or of a list: slices in the bucket, jobs.',
    )
    .usage('[options] <dir> <url> | --from <file> <url>')
    .argument('<dir>')
    .argument('[url]')
    .requiredOption('--name <fleet>', 'the name of the fleet')
    .option('--include <glob...>', 'only these files')
    .option('--exclude <glob...>', 'not these files and directories')
    .option('--follow-links', 'take what symbolic links lead to')
    .option('--slice-files <n>', 'files of one slice (1000)', parseWholeNumber)
    .addOption(
      new Option(
        '--from <file>',
        'the files of a CSV list or inventory, gzip or not; may be repeated',
      )
        .argParser((list, lists: string[] | undefined) => [
          ...(lists ?? []),
          list,
        ])
        .conflicts(['include', 'exclude', 'followLinks']),
    )
    .option('--columns <names>', 'of lists without a first row of names')
    .action(
      (
        directory: string,
        url: string | undefined,
        flags: Flags & FleetPlanFlags,
      ) => {
        // Of lists there is the URL alone.
        const isOfLists = flags.from !== undefined
        const isMisused =
          isOfLists === (url !== undefined) ||
          (flags.columns !== undefined && !isOfLists)
        return on(
          url ?? directory,
          flags,
          (task) => planFleetOf(isOfLists ? undefined : directory, task, flags),
          isMisused
            ? 'name a directory and the URL, or each list behind a --from of its own, and the URL'
            : undefined,
        )
      },
    )

  withQueue('work')
    .description('Upload slices of all fleets of a queue, until stopped.')
    .argument('<url>', 'keys that may be written begin with its key')
    .requiredOption('--root <dir>', 'the directory that was planned, here')
    .option('--jobs <n>', 'files at once (16)', parseWholeNumber)
    .option('--if-changed', 'not what the server has, by CRC-64 or MD5')
    .addOption(
      new Option(
        '--log <where>',
        'of files sent in parts: in the Redis of the queue (queue)',
      ).choices(['queue', 'bucket', 'none']),
    )
    .option('--requests-per-second <n>', 'at most', parseWholeNumber)
    .option('--bytes-per-second <bytes>', 'at most', parseSize)
    .action((url: string, flags: Flags & FleetWorkFlags) =>
      on(url, flags, (task) => workOnFleets(task, flags)),
    )

  withQueue('status')
    .description('What a fleet has come to.')
    .argument('<fleet>')
    .argument('<url>')
    .action((name: string, url: string, flags: Flags & FleetFlags) =>
      on(url, flags, (task) => tellFleet(name, task)),
    )

  withQueue('retry')
    .description('Plan a fleet of the files that failed in another.')
    .argument('<fleet>')
    .argument('<url>')
    .action((name: string, url: string, flags: Flags & FleetFlags) =>
      on(url, flags, (task) => retryFleetOf(name, task)),
    )
}

/** Of files, or with `--log` of the log that it names. */
async function statusOf(
  names: readonly string[],
  { log, sourceId, ...flags }: Flags & StatusFlags,
  task: Task,
): Promise<void> {
  const { out, isJson } = task
  if (log === undefined) return status(names, out, isJson)
  const [url, ...more] = names
  if (more.length > 0 || (url !== undefined && log !== 'bucket')) {
    task.misuse(
      '--log is instead of logs; with --log bucket the URL is named too',
    )
  }
  if (url === undefined) {
    const engine = await openLogEngine(log)
    try {
      return await engineStatus(engine, out, isJson)
    } finally {
      await engine.close()
    }
  }
  await withTarget(url, flags, async ({ store, key }) => {
    if (key === '' || key.endsWith('/')) {
      task.misuse('the URL must name the object of the log')
    }
    const engine = await openLogEngine(log, { store, key, sourceId })
    await engineStatus(engine, out, isJson)
  })
}

async function withTarget(
  url: string,
  flags: StoreFlags,
  work: (target: Target) => Promise<void>,
): Promise<void> {
  const target = await openTarget(url, flags, process.env)
  try {
    await work(target)
  } finally {
    await target.close()
  }
}

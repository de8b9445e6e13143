import { Command, CommanderError } from 'commander'
import { ExitStatus, MerganserError } from '../core/errors.ts'
import { checkCommand } from './check.ts'
import { completionCommand } from './completion.ts'
import { configCommand } from './config.ts'
import { copyCommand } from './copy.ts'
import { diffCommand } from './diff.ts'
import { oplogCommand } from './oplog.ts'
import { loadCommand } from './load.ts'
import { doctorCommand } from './doctor.ts'
import { examples } from './options.ts'
import { keepPrivate } from './outputs.ts'
import { queryCommand } from './query.ts'
import { repairCommand } from './repair.ts'
import { runCommand } from './run.ts'
import { Shell } from './shell.ts'
import { simulateCommand } from './simulate.ts'
import { statusCommand } from './status.ts'
import { syncCommand } from './sync.ts'

/** The commands in the order in which the help shows them. */
const COMMANDS: readonly ((program: Command, shell: Shell) => void)[] = [
  runCommand,
  syncCommand,
  loadCommand,
  copyCommand,
  repairCommand,
  queryCommand,
  diffCommand,
  checkCommand,
  oplogCommand,
  statusCommand,
  doctorCommand,
  simulateCommand,
  configCommand,
  completionCommand,
]

/** Runs one command line and sets the process's exit status. Never rejects. */
export async function main(args: readonly string[], version: string): Promise<void> {
  keepPrivate()
  const end = args.indexOf('--')
  const shell = new Shell({ debug: args.slice(0, end < 0 ? undefined : end).includes('--debug') })
  try {
    await programOf(shell, version).parseAsync(args, { from: 'user' })
  } catch (error) {
    if (error instanceof CommanderError) usage(shell, error)
    else shell.problem(error)
  }
  process.exitCode = shell.status
}

/** The whole command line, for `main` and for the shells' completion. */
export function programOf(shell: Shell, version: string): Command {
  const program = new Command('merganser')
  program
    .description('Keeps copies of a table in PostgreSQL, MongoDB and Hive in agreement.')
    .version(version, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command]', 'show help for a command')
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
    .showSuggestionAfterError(true)
    .addHelpText(
      'after',
      examples([
        ['merganser run script.in', 'run a script over the replicas'],
        ['merganser status', 'show replicas, oplogs and what is pending'],
        ['merganser help run', 'show help for a command'],
      ]),
    )
  for (const add of COMMANDS) add(program, shell)
  for (const command of [program, ...program.commands]) {
    command.option('--debug', 'show stacks of errors')
  }
  return program
}

/** Commander's refusals as errors of ours; help and version are none. */
function usage(shell: Shell, error: CommanderError): void {
  if (error.exitCode === 0) return
  if (error.code === 'commander.help') {
    // No command was named: its help was shown.
    shell.raise(ExitStatus.input)
    return
  }
  const [message, suggestion] = error.message.replace(/^error: /, '').split('\n')
  const near = /^\((.*)\)$/.exec(suggestion ?? '')?.[1]
  const advice = near === undefined ? 'see merganser --help, or merganser COMMAND --help' : lowered(near)
  shell.problem(new MerganserError('USAGE', message!, { advice }))
}

function lowered(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1)
}

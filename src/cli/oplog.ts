import { Option, type Command } from 'commander'
import type { Config } from '../config/config.ts'
import { MerganserError } from '../core/errors.ts'
import type { Disk } from '../environment/environment.ts'
import type { LogReport } from '../oplog/report.ts'
import { displayText } from '../script/display.ts'
import { addConfigOptions, examples, type ConfigOptions } from './options.ts'
import type { LineFilter } from './oplog-filter.ts'
import { loadConfiguration, replicaNamed } from './session.ts'
import type { Shell } from './shell.ts'

interface OplogOptions extends ConfigOptions {
  readonly key?: string
  readonly table?: string
  readonly since?: string
  readonly verify?: boolean
}

export function oplogCommand(program: Command, shell: Shell): void {
  const command = program
    .command('oplog')
    .description("print a replica's oplog, also beside a session that runs")
    .argument('[replica]', 'its name or alias; with --verify, all of them without it')
  addConfigOptions(command)
    .option('--key <key>', 'only the lines of one key, like SID1,CSE1, and its conflicts')
    .option('--table <table>', "the key's table (any that it fits)")
    .option('--since <stamp>', 'only from a stamp on, or the beginning of one, like 2026-11-22 or "2026-11-22 15:11"')
    .addOption(new Option('--verify', 'check every seal, record and segment').conflicts(['key', 'since']))
    .addHelpText(
      'after',
      examples([
        ['merganser oplog HIVE', 'print all of it'],
        ["merganser oplog SQL --key '(SID1,CSE1)'", 'the history of one key'],
        ['merganser oplog --verify', 'verify the oplogs of all replicas'],
        ['merganser oplog HIVE > again.in', 'a script that `merganser run` replays'],
      ]),
    )
    .action((replica: string | undefined, options: OplogOptions) => oplog(shell, replica, options))
}

async function oplog(shell: Shell, name: string | undefined, options: OplogOptions): Promise<void> {
  const config = await loadConfiguration(shell, options)
  if (options.verify === true) {
    const { verifyLogs } = await import('./oplog-verify.ts')
    await verifyLogs(shell, config, name === undefined ? config.replicas : [replicaNamed(config, name)])
    return
  }
  if (name === undefined) {
    const known = config.replicas.map((replica) => replica.name).join(', ')
    throw new MerganserError('USAGE', "missing argument 'replica'", { advice: `replicas: ${known}` })
  }
  if (options.table !== undefined && options.key === undefined) {
    throw new MerganserError('USAGE', '--table says which table a --key is of', { advice: 'add --key' })
  }
  const replica = replicaNamed(config, name).name
  const filter = await filterOf(config, replica, options)
  const { realEnvironment } = await import('../index.ts')
  const { disk } = realEnvironment()
  const { inspectLog } = await import('../oplog/recover.ts')
  const report = await inspectLog(disk, config.state, replica)
  if (report.logId === undefined) {
    shell.say(`${replica} has no oplog yet in ${config.state}`)
    return
  }
  await printLog(shell, disk, report, filter)
}

async function filterOf(config: Config, replica: string, options: OplogOptions): Promise<LineFilter | undefined> {
  const { key, table, since } = options
  if (key === undefined && since === undefined) return undefined
  const { LineFilter } = await import('./oplog-filter.ts')
  return new LineFilter(config, replica, { key, table, since })
}

async function printLog(shell: Shell, disk: Disk, report: LogReport, filter: LineFilter | undefined): Promise<void> {
  const { readLog } = await import('../oplog/read.ts')
  for await (const { bytes, lines, starts, ends } of readLog(disk, report)) {
    const out = Buffer.allocUnsafe(bytes.length)
    let length = 0
    for (let i = 0; i < lines; i++) {
      const start = starts[i]!
      // With its newline.
      const end = ends[i]! + 1
      if (filter !== undefined && !filter.shows(bytes, start, end - 1)) continue
      bytes.copy(out, length, start, end)
      length += end - start
    }
    if (length > 0) await shell.print(forTerminal(out.subarray(0, length)))
  }
}

/** What goes to a terminal holds nothing that moves its cursor. */
function forTerminal(lines: Buffer): Buffer | string {
  return process.stdout.isTTY ? lines.toString('utf8').split('\n').map(displayText).join('\n') : lines
}

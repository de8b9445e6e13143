import { dirname, join, resolve } from 'node:path'
import type { Command } from 'commander'
import type { Config, ReplicaConfig } from '../config/config.ts'
import { MerganserError } from '../core/errors.ts'
import type { RepairCounts } from '../verify/repair.ts'
import type { RepairEvents, RepairFiles } from '../verify/repair-run.ts'
import { addSessionOptions, countArgument, examples, nonEmpty, type SessionOptions } from './options.ts'
import { checkOutputs } from './outputs.ts'
import { loadConfiguration, replicaNamed, tableNamed } from './session.ts'
import type { Shell } from './shell.ts'
import { counted, several } from './table.ts'

type Sides = readonly [ReplicaConfig, ReplicaConfig]

interface RepairOptions extends SessionOptions {
  readonly table?: string
  readonly prefer?: string
  readonly plan?: string
  readonly dryRun?: boolean
  readonly settle: number
  readonly quiet?: boolean
}

/** Rows that stay different are told one by one up to here. */
const SHOWN = 20
/** What takes a plan back stands beside it. */
const UNDO = 'undo.in'

export function repairCommand(program: Command, shell: Shell): void {
  const command = program
    .command('repair')
    .description('make two replicas equal where they differ, by stamps')
    .argument('<a>', 'replica or alias')
    .argument('<b>', 'replica or alias')
  addSessionOptions(command)
    .option('--table <name>', 'only this table (all of them)', nonEmpty)
    .option('--prefer <replica>', 'whose values stand where stamps settle nothing; they get a new stamp', nonEmpty)
    .option('--plan <file>', 'write a script that does it, and undo.in beside it; do nothing else', nonEmpty)
    .option('--dry-run', 'only say what would be done')
    .option('--settle <ms>', 'time that a row written lately is given to become equal', countArgument(0, 600_000), 2000)
    .option('--quiet', 'show no summary; errors always')
    .addHelpText(
      'after',
      examples([
        ['merganser repair HIVE POSTGRESQL', 'make them equal'],
        ['merganser repair HIVE SQL --plan repair.in', 'a script to read first: merganser run repair.in'],
        ['merganser repair HIVE SQL --prefer SQL', 'also where a value was changed by hand'],
      ]) +
        `

Each database gets what the other one has under a greater stamp, through the oplogs, as any write. A value that
was changed in a database under its old stamp, or has none, is settled only by --prefer: that replica's value then
stands in both. The script that takes a repair back is kept, in the state directory or beside the plan. In the end
the two are compared again. After Ctrl-C rows are whole, what was done is in the oplogs, and a second repair does
the rest.
Exit status: 0 they are equal (with --plan and --dry-run: the plan settles everything), 1 something is left, 2 the
input is wrong, 3 a database is away or refused, 4 the state on disk is damaged or locked, 130 interrupted.`,
    )
    .action((a: string, b: string, options: RepairOptions) => repair(shell, a, b, options))
}

async function repair(shell: Shell, a: string, b: string, options: RepairOptions): Promise<void> {
  if (options.plan !== undefined && options.dryRun === true) {
    throw new MerganserError('USAGE', '--plan writes a file, --dry-run writes nothing', { advice: 'use one of them' })
  }
  const undo = options.plan === undefined ? undefined : join(dirname(options.plan), UNDO)
  await checkOutputs(shell, [options.plan, undo], [])
  const config = await loadConfiguration(shell, options)
  const sides = sidesOf(config, a, b)
  const prefer = options.prefer === undefined ? undefined : preferred(sides, replicaNamed(config, options.prefer).name)
  const tables = options.table === undefined ? config.tables : [tableNamed(config, options.table)]
  shell.takeInterrupts('interrupted: ending in order; once more ends at once')
  const { repairConfigured } = await import('../index.ts')
  const quiet = options.quiet ?? false
  const files = options.plan === undefined ? undefined : filesOf(shell, options.plan)
  const told = new Told(shell, sides, quiet)
  const { different, rows } = await repairConfigured(
    config,
    sides,
    {
      ...{ tables, prefer, settle: options.settle, signal: shell.interrupted },
      extent: options.dryRun === true ? 'nothing' : files === undefined ? 'all' : 'plan',
      ...(files === undefined ? {} : { files }),
    },
    told,
  )
  if (!quiet && options.plan !== undefined) {
    shell.say(`the plan is in ${options.plan}, what takes it back in ${join(dirname(options.plan), UNDO)}`)
  } else if (!quiet && different === 0 && rows > 0 && options.dryRun !== true) {
    shell.say(`${sides[0].name} and ${sides[1].name} are equal now`)
  }
  if (different > 0) shell.problem(leftDifferent(sides, prefer, different))
}

function filesOf(shell: Shell, plan: string): RepairFiles {
  const path = resolve(shell.cwd, plan)
  return { plan: path, undo: join(dirname(path), UNDO) }
}

function sidesOf(config: Config, a: string, b: string): Sides {
  const sides = [replicaNamed(config, a), replicaNamed(config, b)] as const
  if (sides[0].name === sides[1].name) {
    throw new MerganserError('SAME_REPLICA', `${sides[0].name} is not compared with itself`)
  }
  return sides
}

function preferred(sides: Sides, name: string): 0 | 1 {
  const side = sides.findIndex((one) => one.name === name)
  if (side === 0 || side === 1) return side
  throw new MerganserError('USAGE', `--prefer takes ${sides[0].name} or ${sides[1].name}, which are repaired`)
}

/** Shows what a repair tells as it goes on. */
class Told implements RepairEvents {
  readonly #shell: Shell
  readonly #sides: Sides
  readonly #quiet: boolean
  readonly #pending = new Set<string>()
  #left = 0

  constructor(shell: Shell, sides: Sides, quiet: boolean) {
    this.#shell = shell
    this.#sides = sides
    this.#quiet = quiet
  }

  message(text: string): void {
    this.#shell.say(text)
  }

  problem(error: MerganserError): void {
    this.#shell.problem(error)
  }

  failed(error: MerganserError): void {
    this.#shell.problem(error)
  }

  left(what: string): void {
    if (!this.#quiet && this.#left++ < SHOWN) this.#shell.say(`left as it is: ${what}`)
  }

  pending(replica: string, records: number): void {
    if (this.#quiet || this.#pending.has(replica)) return
    this.#pending.add(replica)
    this.#shell.say(
      `${replica}: ${several(records, 'record')} of its oplog ${records === 1 ? "isn't" : "aren't"} in its database yet: ` +
        '`merganser sync` brings it there',
    )
  }

  planned(counts: RepairCounts): void {
    if (this.#quiet) return
    if (this.#left > SHOWN) this.#shell.say(`and ${counted(this.#left - SHOWN)} more of them`)
    this.#shell.say(summary(this.#sides, counts))
  }

  done({ undo }: RepairFiles): void {
    if (!this.#quiet) this.#shell.say(`what takes it back is in ${undo}: merganser run it`)
  }
}

function summary(sides: Sides, counts: RepairCounts): string {
  const { rows, settled, chosen, open, refused, moving } = counts
  if (rows === 0) return `${sides[0].name} and ${sides[1].name} are equal`
  const parts = [`${counted(settled - chosen)} settled by their stamps`]
  if (chosen > 0) parts.push(`${counted(chosen)} by --prefer`)
  if (open > 0) parts.push(`${counted(open)} left, since stamps don't settle them`)
  if (refused > 0) parts.push(`${counted(refused)} that one of them can't hold`)
  if (moving > 0) parts.push(`${counted(moving)} that are still being written`)
  return `${several(rows, 'row')} ${rows === 1 ? 'differs' : 'differ'}: ${parts.join(', ')}`
}

function leftDifferent(sides: Sides, prefer: 0 | 1 | undefined, left: number): MerganserError {
  const names = sides.map(({ name }) => name)
  const message = `${several(left, 'row')} of ${names.join(' and ')} ${left === 1 ? 'stays' : 'stay'} different`
  const advice =
    prefer === undefined
      ? `see them with \`merganser diff\`; --prefer ${names.join(' or ')} settles values that changed under their stamp, or have none`
      : 'see them with `merganser diff`'
  return new MerganserError('NOT_CONVERGED', message, { advice })
}

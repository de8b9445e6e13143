import { basename, dirname, join, resolve } from 'node:path'
import type { Command } from 'commander'
import type { Config } from '../config/config.ts'
import { HybridClock } from '../core/clock.ts'
import { MerganserError } from '../core/errors.ts'
import type { TableSchema } from '../core/table.ts'
import { addSessionOptions, examples, nonEmpty, type SessionOptions } from './options.ts'
import { checkOutputs } from './outputs.ts'
import { LineFile } from './repair-files.ts'
import { compareAgain, runPlan } from './repair-run.ts'
import { compared, greatestKnown, type SideConfig } from './repair-sides.ts'
import { loadConfiguration, replicaNamed, tableNamed } from './session.ts'
import type { Shell } from './shell.ts'
import { counted, several } from './table.ts'
import type { RepairCounts } from '../verify/repair.ts'

interface RepairOptions extends SessionOptions {
  readonly table?: string
  readonly prefer?: string
  readonly plan?: string
  readonly dryRun?: boolean
  readonly quiet?: boolean
}

/** Rows that stay different are told one by one up to here. */
const SHOWN = 20

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
was changed in a database under its old stamp is settled only by --prefer: that replica's value then stands in
both. The script that takes a repair back is kept, in the state directory or beside the plan. In the end the two
are compared again.
Exit status: 0 they are equal (with --plan and --dry-run: the plan settles everything), 1 something is left, 2 the
input is wrong, 3 a database is away or refused, 4 the state on disk is damaged or locked, 130 interrupted.`,
    )
    .action((a: string, b: string, options: RepairOptions) => repair(shell, a, b, options))
}

async function repair(shell: Shell, a: string, b: string, options: RepairOptions): Promise<void> {
  if (options.plan !== undefined && options.dryRun === true) {
    throw new MerganserError('USAGE', '--plan writes a file, --dry-run writes nothing', { advice: 'use one of them' })
  }
  const undoName = options.plan === undefined ? undefined : join(dirname(options.plan), 'undo.in')
  await checkOutputs(shell, [options.plan, undoName], [])
  const config = await loadConfiguration(shell, options)
  const sides = sidesOf(config, a, b)
  const prefer = options.prefer === undefined ? undefined : preferred(sides, replicaNamed(config, options.prefer).name)
  const tables = options.table === undefined ? config.tables : [tableNamed(config, options.table)]
  shell.takeInterrupts('interrupted: ending in order; once more ends at once')
  try {
    await repairTables(shell, { config, sides, prefer, tables, options, undoName })
  } catch (error) {
    if (!shell.interrupted.aborted) throw error
    const advice = 'what was repaired is durable; repair again for the rest'
    shell.problem(new MerganserError('INTERRUPTED', 'the repair was interrupted', { advice }))
  }
}

function sidesOf(config: Config, a: string, b: string): readonly [SideConfig, SideConfig] {
  const sides = [replicaNamed(config, a), replicaNamed(config, b)] as const
  if (sides[0].name === sides[1].name) {
    throw new MerganserError('SAME_REPLICA', `${sides[0].name} is not compared with itself`)
  }
  return sides
}

function preferred(sides: readonly [SideConfig, SideConfig], name: string): 0 | 1 {
  const side = sides.findIndex((one) => one.name === name)
  if (side === 0 || side === 1) return side
  throw new MerganserError('USAGE', `--prefer takes ${sides[0].name} or ${sides[1].name}, which are repaired`)
}

interface Work {
  readonly config: Config
  readonly sides: readonly [SideConfig, SideConfig]
  readonly prefer: 0 | 1 | undefined
  readonly tables: readonly TableSchema[]
  readonly options: RepairOptions
  readonly undoName: string | undefined
}

async function repairTables(shell: Shell, work: Work): Promise<void> {
  const { options, tables } = work
  const files = options.dryRun === true ? undefined : await filesOf(shell, work)
  const { newCounts } = await import('../verify/repair.ts')
  const counts = newCounts()
  try {
    await files?.plan.add(`# repair of ${work.sides[0].name} and ${work.sides[1].name}: brings each what it lacks`)
    await files?.undo.add(`# takes back what ${basename(files.plan.path)} does: each shows again what it showed before`)
    for (const table of tables) await planTable(shell, work, table, files, counts)
    if (counts.lines > 0 || options.plan !== undefined) {
      await files?.undo.end()
      await files?.plan.end()
    }
  } finally {
    await files?.plan.drop()
    await files?.undo.drop()
  }
  if (options.quiet !== true) tellCounts(shell, work, counts)
  if (options.plan !== undefined || options.dryRun === true) {
    if (options.quiet !== true && options.plan !== undefined) {
      shell.say(`the plan is in ${options.plan}, what takes it back in ${work.undoName!}`)
    }
    leftProblem(shell, work, counts.open + counts.refused + counts.moving)
    return
  }
  if (counts.rows === 0) return
  if (counts.lines > 0) {
    await runPlan(shell, work.config, work.sides, files!.plan.path)
    if (options.quiet !== true) shell.say(`what takes it back is in ${files!.undo.path}: merganser run it`)
  }
  const left = await compareAgain(shell, work.config, work.sides, tables)
  if (options.quiet !== true && left === 0) shell.say(`${work.sides[0].name} and ${work.sides[1].name} are equal now`)
  leftProblem(shell, work, left)
}

interface Files {
  readonly plan: LineFile
  readonly undo: LineFile
}

async function filesOf(shell: Shell, { config, sides, options, undoName }: Work): Promise<Files> {
  if (options.plan !== undefined) {
    return { plan: new LineFile(resolve(shell.cwd, options.plan)), undo: new LineFile(resolve(shell.cwd, undoName!)) }
  }
  const { realEnvironment } = await import('../index.ts')
  const { timeText } = await import('../core/stamp.ts')
  const { clock, random } = realEnvironment()
  const moment = timeText(clock.nanoseconds()).slice(0, 19).replaceAll(/[-:]/g, '').replace(' ', 'T')
  const stem = `${moment}-${sides[0].name}-${sides[1].name}-${random.hex(4)}`.toLowerCase()
  const directory = join(config.state, 'repairs')
  return { plan: new LineFile(join(directory, `${stem}.in`)), undo: new LineFile(join(directory, `${stem}.undo.in`)) }
}

/** Plans the repair of one table. */
async function planTable(
  shell: Shell,
  { config, sides, prefer, options }: Work,
  table: TableSchema,
  files: Files | undefined,
  counts: RepairCounts,
): Promise<void> {
  const [{ RepairPlanner }, { planRepair }, { Catalog }, { configuredConnector, realEnvironment }] = await Promise.all([
    import('../verify/repair-plan.ts'),
    import('../verify/repair.ts'),
    import('../script/catalog.ts'),
    import('../index.ts'),
  ])
  const names = config.replicas.map(({ name }) => name)
  const catalog = new Catalog(names, config.tables, config.aliases)
  const [left, right] = await Promise.all(sides.map(configuredConnector))
  const { clock } = realEnvironment()
  const planner = new RepairPlanner({
    catalog,
    table: catalog.table(table.name)!,
    sides: [
      { name: left!.name, capabilities: left!.connector.capabilities },
      { name: right!.name, capabilities: right!.connector.capabilities },
    ],
    prefer,
    clock: new HybridClock(
      () => clock.nanoseconds(),
      await greatestKnown(shell, config, sides, options.quiet ?? false),
    ),
    lineBytes: config.limits.lineBytes,
  })
  const sink = {
    plan: (line: string) => files?.plan.add(line),
    undo: (line: string) => files?.undo.add(line),
  }
  let shown = 0
  await compared(shell, config, sides, table, (differences) =>
    planRepair(differences, planner, table, sink, counts, (what) => {
      if (options.quiet !== true && shown++ < SHOWN) shell.say(`left as it is: ${what}`)
    }),
  )
  if (options.quiet !== true && shown > SHOWN) shell.say(`and ${counted(shown - SHOWN)} more of them`)
}

function tellCounts(shell: Shell, { sides }: Work, counts: RepairCounts): void {
  const { rows, settled, chosen, open, refused, moving } = counts
  if (rows === 0) {
    shell.say(`${sides[0].name} and ${sides[1].name} are equal`)
    return
  }
  const parts = [`${counted(settled - chosen)} settled by their stamps`]
  if (chosen > 0) parts.push(`${counted(chosen)} by --prefer`)
  if (open > 0) parts.push(`${counted(open)} left, since stamps don't settle them`)
  if (refused > 0) parts.push(`${counted(refused)} that one of them can't hold`)
  if (moving > 0) parts.push(`${counted(moving)} that are still being written`)
  shell.say(`${several(rows, 'row')} ${rows === 1 ? 'differs' : 'differ'}: ${parts.join(', ')}`)
}

function leftProblem(shell: Shell, { sides, prefer }: Work, left: number): void {
  if (left === 0) return
  const message = `${several(left, 'row')} of ${sides[0].name} and ${sides[1].name} ${left === 1 ? 'stays' : 'stay'} different`
  const advice =
    prefer === undefined
      ? `see them with \`merganser diff\`; --prefer ${sides[0].name} or ${sides[1].name} settles values that changed under their stamp`
      : 'see them with `merganser diff`'
  shell.problem(new MerganserError('NOT_CONVERGED', message, { advice }))
}

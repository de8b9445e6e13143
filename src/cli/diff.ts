import { Option, type Command } from 'commander'
import { ExitStatus, MerganserError } from '../core/errors.ts'
import { newTally, type Difference, type Tally } from '../verify/difference.ts'
import { diffFormatOf, type DiffFormat } from './diff-format.ts'
import { addConfigOptions, countArgument, examples, nonEmpty, type ConfigOptions } from './options.ts'
import { checkOutputs, writeOutput } from './outputs.ts'
import { startProgress } from './progress.ts'
import { encoded } from './query.ts'
import { columnNamed, whereArgument, wheresOf, type Wheres } from './query-where.ts'
import { loadConfiguration, replicaNamed, tableNamed } from './session.ts'
import type { Shell } from './shell.ts'
import { several } from './table.ts'

interface DiffCommandOptions extends ConfigOptions {
  readonly table?: string
  readonly where?: Wheres
  readonly columns?: string
  readonly valuesOnly?: boolean
  readonly format: 'table' | 'jsonl' | 'csv'
  readonly limit?: number
  readonly settle: number
  readonly digests: boolean
  readonly output?: string
  readonly quiet?: boolean
}

export function diffCommand(program: Command, shell: Shell): void {
  const command = program
    .command('diff')
    .description('compare the rows that the databases of two replicas hold')
    .argument('<a>', 'replica or alias')
    .argument('<b>', 'another one')
  addConfigOptions(command)
    .option('--table <name>', 'table to compare (the first one configured)', nonEmpty)
    .option('--where <column op value...>', 'only rows of which one side is such; repeated: meets all', whereArgument)
    .option('--columns <names>', 'compare only these columns, with commas between', nonEmpty)
    .option('--values-only', 'compare what shows, not stamps and tombstones')
    .addOption(
      new Option('--format <format>', 'how differences are written')
        .choices(['table', 'jsonl', 'csv'])
        .default('table'),
    )
    .option('--limit <n>', 'stop after so many differences', countArgument(1, Number.MAX_SAFE_INTEGER))
    .option('--settle <ms>', 'time that a row written lately is given to become equal', countArgument(0, 600_000), 2000)
    .option('--no-digests', 'read every row, also where both databases can work out digests')
    .option('--output <path>', 'write to a file', nonEmpty)
    .option('--quiet', 'no progress and no summary')
    .addHelpText(
      'after',
      examples([
        ['merganser diff HIVE SQL', 'all differences, in the order of their keys'],
        ["merganser diff HIVE MONGO --where grade '>=' B --columns grade", 'of some rows, in one column'],
        ['merganser diff HIVE SQL --format jsonl --output differences.jsonl', 'for programs'],
        ['merganser diff HIVE SQL --quiet --limit 1', 'are they equal? see the exit status'],
      ]) +
        `

Exit status: 0 no difference, 1 differences.

Differences:
  only A, only B   the row exists in one database; in the other one it is absent or deleted
  different        a column shows another value; its stamps say which is newer
  foreign          a column holds another value under an equal stamp: somebody wrote past Merganser
  without stamps   a database holds values without stamps: somebody wrote them there by hand. Where both hold the
                   same values without stamps there is no difference
  stamps only      both show the same, perhaps no row at all, under other stamps: the same value written twice, or
                   a deletion that one database hasn't heard of. Counted apart; --values-only passes over them
  … , moving       it still changed while it was looked at again

What differs is read again before it is shown. A row written in the last minute is given up to --settle to become
equal; what became equal is counted as settled. A row deleted on both sides with one stamp is equal.
The databases are compared as they are: \`merganser sync\` brings there what is in oplogs only.
--where: see \`merganser query --help\`. Where both databases can work out digests of the table's types, ranges of
keys that are equal by them aren't read; not with --where, --columns, --values-only.`,
    )
    .action((a: string, b: string, options: DiffCommandOptions) => diffReplicas(shell, a, b, options))
}

async function diffReplicas(shell: Shell, a: string, b: string, options: DiffCommandOptions): Promise<void> {
  await checkOutputs(shell, [options.output], [])
  const config = await loadConfiguration(shell, options)
  const replicas = [replicaNamed(config, a), replicaNamed(config, b)] as const
  const table = tableNamed(config, options.table)
  const where = wheresOf(table, options.where ?? { conditions: [], words: [] })
  const columns = options.columns?.split(',').map((name) => columnNamed(table, name.trim()).column.name)
  const { diffConfigured } = await import('../index.ts')
  shell.takeInterrupts('interrupted: ending')
  const names = [replicas[0].name, replicas[1].name] as const
  const tally = newTally()
  const found = diffConfigured(
    config,
    replicas,
    table,
    {
      where: where.map(({ column, operator, value }) => ({ column: column.name, operator, value })),
      ...(columns === undefined ? {} : { columns }),
      ...{ valuesOnly: options.valuesOnly ?? false, settle: options.settle, digests: options.digests },
      ...{ tally, signal: shell.interrupted },
    },
    (text) => {
      shell.say(text)
    },
  )
  await report(shell, found, diffFormatOf(options.format, table, names), names, tally, options)
}

/** Writes the differences, then the summary, and sets the exit status. */
async function report(
  shell: Shell,
  found: AsyncGenerator<Difference>,
  format: DiffFormat,
  names: readonly [string, string],
  tally: Tally,
  { output, limit = Infinity, quiet = false }: DiffCommandOptions,
): Promise<void> {
  const shown: Shown = { count: 0, more: false, tally: newTally() }
  const progress = await startProgress(shell, { unit: 'rows', total: undefined, quiet })
  const timer = setInterval(() => {
    progress.update(0, tally.compared)
  }, 100)
  try {
    const texts = textsOf(format, found, limit, shown)
    if (output === undefined) for await (const text of texts) await shell.print(text)
    else await writeOutput(shell, output, encoded(texts))
  } catch (error) {
    if (shell.interrupted.aborted) throw new MerganserError('INTERRUPTED', 'the comparison was interrupted')
    throw error
  } finally {
    clearInterval(timer)
    progress.stop()
  }
  if (shown.count > 0) shell.raise(ExitStatus.difference)
  if (quiet) return
  if (shown.more) shell.say(`stopped after ${several(shown.count, 'difference')}, there are more (--limit)`)
  shell.say(summary(tally, shown, names))
}

interface Shown {
  count: number
  more: boolean
  /** Its kinds count what was shown. */
  readonly tally: Tally
}

/** Differences that become one text. */
const SLICE = 200

async function* textsOf(
  format: DiffFormat,
  found: AsyncGenerator<Difference>,
  limit: number,
  shown: Shown,
): AsyncGenerator<string, void, undefined> {
  let held: Difference[] = []
  let begun = false
  const flush = () => {
    const text = (begun ? '' : format.begin()) + format.some(held)
    begun = true
    held = []
    return text
  }
  for await (const difference of found) {
    if (shown.count === limit) {
      shown.more = true
      break
    }
    shown.count++
    shown.tally.found[difference.kind]++
    if (difference.moving) shown.tally.moving++
    held.push(difference)
    if (held.length === SLICE) yield flush()
  }
  // A table's header without a row says nothing; that of CSV is part of the format.
  if (shown.count > 0) yield flush() + format.end()
  else yield format.begin()
}

function summary(tally: Tally, { count, tally: kinds }: Shown, [left, right]: readonly [string, string]): string {
  const { found, moving } = kinds
  const parts = [
    `${several(tally.compared, 'row')} compared`,
    ...(count === 0 ? ['no differences'] : []),
    ...some(found['left-only'], `only in ${left}`),
    ...some(found['right-only'], `only in ${right}`),
    ...some(found.different, 'different'),
    ...some(found.foreign, 'foreign'),
    ...some(found.unstamped, 'without stamps'),
    ...some(found.stamps, 'in stamps only'),
    ...some(moving, 'of them moving'),
    ...some(tally.settled, 'settled meanwhile'),
    ...(tally.equalRanges === 0
      ? []
      : [`${several(tally.equalRanges, 'range')} of ${several(tally.skipped, 'row')} equal by digest`]),
  ]
  return parts.join(', ')
}

function some(count: number, what: string): string[] {
  return count === 0 ? [] : [`${count.toLocaleString('en')} ${what}`]
}

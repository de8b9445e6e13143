import { resolve } from 'node:path'
import { Option, type Command } from 'commander'
import type { Config } from '../config/config.ts'
import { MerganserError } from '../core/errors.ts'
import type { TableSchema } from '../core/table.ts'
import type { ReplicaStore } from '../connectors/connector.ts'
import { addConfigOptions, countArgument, examples, nonEmpty, type ConfigOptions } from './options.ts'
import { checkOutputs, keepAsUsual, writeOutput } from './outputs.ts'
import { formatOf, shownColumns, type Format } from './query-format.ts'
import { asBatches, chosenRows, type ChosenRows } from './query-rows.ts'
import { whereArgument, wheresOf, type Wheres } from './query-where.ts'
import { loadConfiguration, replicaNamed, tableNamed } from './session.ts'
import type { Shell } from './shell.ts'
import { several } from './table.ts'

interface QueryOptions extends ConfigOptions {
  readonly table?: string
  readonly format: 'table' | 'jsonl' | 'csv' | 'parquet'
  readonly where?: Wheres
  readonly columns?: string
  readonly limit?: number
  readonly stamps?: boolean
  readonly output?: string
}

export function queryCommand(program: Command, shell: Shell): void {
  const command = program
    .command('query')
    .description('show the rows that the database of a replica holds')
    .argument('<replica>', 'replica or alias')
  addConfigOptions(command)
    .option('--table <name>', 'table to read (the first one configured)', nonEmpty)
    .addOption(
      new Option('--format <format>', 'how rows are written')
        .choices(['table', 'jsonl', 'csv', 'parquet'])
        .default('table'),
    )
    .option('--where <column op value...>', 'only such rows; repeated: such as meet all', whereArgument)
    .option('--columns <names>', 'only these columns, with commas between', nonEmpty)
    .option('--limit <n>', 'so many rows at most', countArgument(0, Number.MAX_SAFE_INTEGER))
    .option('--stamps', 'show stamps, and deleted rows with theirs')
    .option('--output <path>', 'write to a file; for parquet, into a directory', nonEmpty)
    .addHelpText(
      'after',
      examples([
        ['merganser query HIVE', 'all rows, in the order of their keys'],
        ["merganser query SQL --where grade '>=' B --limit 10", 'some of them'],
        ["merganser query MONGODB --where 'grade = \\N'", 'a condition in one word; rows without a grade'],
        ['merganser query HIVE --format csv > grades.csv', 'as `merganser load` reads it'],
        ['merganser query HIVE --format parquet --output exported', "in Hive's directory layout"],
      ]) +
        `

Operators: = != < <= > >=. Values compare by the order of the column's type, strings by their UTF-8 bytes, the
same for every database; null meets none of them, but = \\N finds nulls and != \\N what is none. A value is
written as in a script: bare, as a JSON string, or \\N; one that begins with - only in one word, 'n<-5'.

csv: RFC 4180 with LF and a header; null is \\N without quotes, the text \\N stands in quotes.
jsonl: an object a line; int64, decimal, bytes, dates and timestamps are strings, float64 numbers, booleans and
json as they are.
The database is read as it is, also while another Merganser runs where it allows that (the embedded warehouse does
not). What is in caches and oplogs only is not in it yet: \`merganser sync\` brings it there.`,
    )
    .action((replica: string, options: QueryOptions) => query(shell, replica, options))
}

async function query(shell: Shell, name: string, options: QueryOptions): Promise<void> {
  const { format, output, stamps = false } = options
  if (format === 'parquet' && (output === undefined || options.columns !== undefined)) {
    throw output === undefined
      ? new MerganserError('USAGE', 'Parquet goes into a directory', { advice: 'name it with --output DIR' })
      : new MerganserError('USAGE', 'Parquet has all columns of the table', { advice: 'leave --columns out' })
  }
  if (format !== 'parquet') await checkOutputs(shell, [output], [])
  const config = await loadConfiguration(shell, options)
  const replica = replicaNamed(config, name)
  const table = tableNamed(config, options.table)
  const wheres = wheresOf(table, options.where ?? { conditions: [], words: [] })
  const names = options.columns?.split(',').map((column) => column.trim())
  const columns = shownColumns(table, names, stamps)
  shell.takeInterrupts('interrupted: ending')
  await withStore(shell, config, replica, async (store) => {
    const limit = options.limit ?? Infinity
    const chosen = chosenRows(store, table, { wheres, limit, deleted: stamps, signal: shell.interrupted })
    if (format === 'parquet') await toParquet(shell, chosen, table, output!, stamps)
    else await toText(shell, chosen, formatOf(format, columns), options)
  })
}

/** Opens the replica's database for reading and closes it whatever happens. */
async function withStore(
  shell: Shell,
  config: Config,
  replica: Config['replicas'][number],
  work: (store: ReplicaStore) => Promise<void>,
): Promise<void> {
  const [{ configuredConnector, realEnvironment }, { databaseDirectory }, { refuseStateLinks }] = await Promise.all([
    import('../index.ts'),
    import('../engine/opening.ts'),
    import('../engine/state-links.ts'),
  ])
  const { connector, options } = await configuredConnector(replica)
  const directory = databaseDirectory(config.state, replica.name)
  await refuseStateLinks(realEnvironment().disk, config.state, [directory])
  if ((await connector.absent?.(options, directory)) === true) {
    shell.say(`${replica.name}: its database is not there yet`)
  }
  const store = await connector.open(options, {
    access: 'read',
    directory,
    replica: replica.name,
    signal: shell.interrupted,
    progress: (message) => {
      shell.say(`${replica.name}: ${message}`)
    },
  })
  try {
    await work(store)
  } finally {
    await store.close()
  }
}

async function toParquet(
  shell: Shell,
  chosen: AsyncIterable<ChosenRows>,
  table: TableSchema,
  output: string,
  stamps: boolean,
): Promise<void> {
  const { exportParquet } = await import('../connectors/embedded-warehouse/export.ts')
  const batches = asBatches(table, chosen, () => undefined)
  keepAsUsual()
  const { file, rows } = await exportParquet(batches, table, resolve(shell.cwd, output), { stamps })
  shell.say(`${several(rows, 'row')} in ${file}`)
}

async function toText(
  shell: Shell,
  chosen: AsyncIterable<ChosenRows>,
  format: Format,
  { output, format: name }: QueryOptions,
): Promise<void> {
  let count = 0
  const texts = textsOf(format, chosen, (rows) => {
    count += rows
  })
  if (output !== undefined) {
    await writeOutput(shell, output, encoded(texts))
    shell.say(`${several(count, 'row')} in ${output}`)
    return
  }
  for await (const text of texts) await shell.print(text)
  if (name === 'table') shell.say(several(count, 'row'))
}

/** Rows that become one text. */
const SLICE = 500

async function* textsOf(
  format: Format,
  chosen: AsyncIterable<ChosenRows>,
  count: (rows: number) => void,
): AsyncGenerator<string, void, undefined> {
  yield format.begin()
  for await (const { batch, rows } of chosen) {
    for (let from = 0; from < rows.length; from += SLICE) {
      const slice = rows.slice(from, from + SLICE)
      yield format.rows(batch, slice)
      count(slice.length)
    }
  }
  yield format.end()
}

export async function* encoded(texts: AsyncIterable<string>): AsyncGenerator<Uint8Array, void, undefined> {
  for await (const text of texts) yield Buffer.from(text)
}

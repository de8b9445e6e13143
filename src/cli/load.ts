import { InvalidArgumentError, Option, type Command } from 'commander'
import type { Config } from '../config/config.ts'
import { ExitStatus, MerganserError } from '../core/errors.ts'
import type { TableSchema } from '../core/table.ts'
import type { Loader } from '../engine/load.ts'
import type { Report } from '../engine/report.ts'
import type { Session } from '../engine/session.ts'
import { displayText } from '../script/display.ts'
import { ending } from './ending.ts'
import { inputsOf, type Input } from './inputs.ts'
import { mapArgument, mapFields } from './load-columns.ts'
import { csvRows, openCsv } from './load-csv-rows.ts'
import { openJsonLines } from './load-json-rows.ts'
import { loadRows, type LoadCounts, type RowSource } from './load-rows.ts'
import { csvRejects, jsonRejects, Rejects, type RejectFormat } from './load-rejects.ts'
import { addSessionOptions, countArgument, examples, nonEmpty, type SessionOptions } from './options.ts'
import { checkOutputs, writeOutput } from './outputs.ts'
import { startProgress } from './progress.ts'
import { loadConfiguration, replicaNamed, tableNamed, withSession } from './session.ts'
import type { Shell } from './shell.ts'
import { showReport } from './summary.ts'
import { counted, several } from './table.ts'

interface LoadOptions extends SessionOptions {
  readonly table?: string
  readonly format?: 'csv' | 'jsonl'
  readonly map?: ReadonlyMap<string, string>
  readonly delimiter: string
  readonly null: string
  readonly rejects?: string
  readonly maxRejects?: number
  readonly fresh?: boolean
  readonly dryRun?: boolean
  readonly flush: boolean
  readonly acceptLoss?: boolean
  readonly report?: string
  readonly quiet?: boolean
}

export function loadCommand(program: Command, shell: Shell): void {
  const command = program
    .command('load')
    .description('load a CSV file or JSON lines into a table of one, several or all replicas')
    .argument('<replicas>', 'a replica, several with commas between, or all; the first is the origin of the stamps')
    .argument('<file>', 'in UTF-8: CSV with a header, or JSON lines; - is standard input')
  addSessionOptions(command)
    .option('--table <name>', 'table to load into (the first one configured)', nonEmpty)
    .addOption(
      new Option('--format <format>', "how the file is written (by its name's ending; else csv)").choices([
        'csv',
        'jsonl',
      ]),
    )
    .option('--map <column=header,...>', 'headers of columns that are called otherwise in the file', mapArgument)
    .option('--delimiter <character>', 'what stands between fields; tab for a tab', delimiterArgument, ',')
    .option('--null <text>', 'what an unquoted field without a value holds', '\\N')
    .option('--rejects <file>', 'where refused rows go (FILE.rejects.csv or .jsonl)', nonEmpty)
    .option('--max-rejects <n>', 'stop once more rows are refused', countArgument(0, Number.MAX_SAFE_INTEGER))
    .addOption(new Option('--fresh', 'archive the old state, then begin anew').conflicts('dryRun'))
    .option('--dry-run', 'do everything in memory and write nothing; say what would be written')
    .option('--no-flush', 'write oplogs only; the next run or `merganser sync` flushes')
    .option('--accept-loss', 'go on with what damaged or missing oplogs left')
    .option('--report <file>', 'write the report as JSON', nonEmpty)
    .option('--quiet', 'show no progress and no summary; errors always')
    .addHelpText(
      'after',
      examples([
        ['merganser load POSTGRESQL grades.csv', 'load into one replica'],
        ['merganser load all grades.csv', 'the same rows and stamps in every replica'],
        ['merganser load HIVE,MONGODB - < grades.csv', 'standard input, into two'],
        ['merganser load SQL grades.jsonl', 'an object a line, as `query --format jsonl` writes it'],
        ["merganser load all x.csv --map 'grade=Final Grade'", 'a column of another name'],
      ]) +
        `

Each row becomes a SET under one new stamp, the same in every replica named; of rows with one key the last
stands. Value columns that the file doesn't have stay as they are. An empty field is the empty string; quoted,
the text of --null is that text. In JSON lines, members are columns by name; numbers keep every digit that they
are written with, as numbers or as strings, null is null, and value columns that an object lacks stay as they
are. A row that can't be loaded into all of the replicas is loaded into none: it
goes into the reject file with its line and the reason, and the rest goes on. Mend it there and load that file.
Exit status: 0 done, 1 rows were refused, 2 the input is wrong or --max-rejects was passed, 3 a database is away
or refused, 4 the state on disk is damaged or locked, 130 interrupted.`,
    )
    .action((replicas: string, file: string, options: LoadOptions) => load(shell, replicas, file, options))
}

function delimiterArgument(text: string): string {
  if (text.toLowerCase() === 'tab' || text === '\\t') return '\t'
  if (/^[\t\x20-\x7e]$/.test(text) && text !== '"') return text
  throw new InvalidArgumentError('It must be one ASCII character, not a quote, or tab.')
}

/** What came of a load; the file may have ended with an error, and there is a report all the same. */
interface Outcome extends LoadCounts {
  report?: Report
  error?: unknown
}

async function load(shell: Shell, names: string, name: string, options: LoadOptions): Promise<void> {
  const started = performance.now()
  const [input] = await inputsOf([name])
  const format = options.format ?? (/\.(?:jsonl|ndjson)$/i.test(name) ? 'jsonl' : 'csv')
  const rejectsName = options.rejects ?? `${name === '-' ? 'stdin' : name}.rejects.${format}`
  await checkOutputs(shell, [options.report, options.dryRun === true ? undefined : rejectsName], [name])
  const config = await loadConfiguration(shell, options)
  const table = tableNamed(config, options.table)
  const replicas = replicasNamed(config, names)
  shell.takeInterrupts('interrupted: ending in order; once more ends at once')
  // A mapping that doesn't fit is found before anything is opened.
  const { source, columns, rejectFormat, ignored } = await openSource(shell, input!, format, table, options)
  const outcome: Outcome = { rows: 0, rejected: 0 }
  try {
    const rejects = new Rejects(shell, rejectsName, rejectFormat)
    if (options.dryRun !== true) await rejects.check()
    const setup = {
      dryRun: options.dryRun ?? false,
      flush: options.flush,
      fresh: options.fresh ?? false,
      acceptLoss: options.acceptLoss ?? false,
    }
    const work = { input: input!, source, table, replicas, columns, rejects, options, started, outcome }
    await withSession(shell, config, setup, (session) => execute(shell, session, work))
  } catch (error) {
    if (outcome.error !== undefined && !sameMessage(outcome.error, error)) shell.problem(error)
    outcome.error ??= error
  } finally {
    await source.close()
  }
  if (ignored !== undefined && ignored.size > 0 && options.quiet !== true) {
    shell.say(`members that are no column's were ignored: ${listed([...ignored])}`)
  }
  await tell(shell, input!.file, rejectsName, options, outcome)
}

/** The replicas of the command line, in its order. Throws UNKNOWN_REPLICA, USAGE. */
function replicasNamed(config: Config, names: string): string[] {
  const all = config.replicas.map((replica) => replica.name)
  if (names.toUpperCase() === 'ALL' && !all.includes('ALL')) return all
  const wanted = names.split(',').map((name) => replicaNamed(config, name.trim()).name)
  const twice = wanted.find((name, i) => wanted.indexOf(name) !== i)
  if (twice !== undefined) throw new MerganserError('USAGE', `replica ${twice} is named twice`)
  return wanted
}

interface Opened {
  readonly source: RowSource
  /** Value columns that rows bring. */
  readonly columns: readonly number[]
  readonly rejectFormat: RejectFormat
  /** Members that were no column's, as they are met. */
  readonly ignored?: ReadonlySet<string>
}

async function openSource(
  shell: Shell,
  input: Input,
  format: 'csv' | 'jsonl',
  table: TableSchema,
  options: LoadOptions,
): Promise<Opened> {
  const maps = options.map ?? new Map<string, string>()
  if (format === 'jsonl') {
    const source = openJsonLines(input, table, maps, shell.interrupted)
    return { source, columns: [...table.values.keys()], rejectFormat: jsonRejects(), ignored: source.ignored }
  }
  const csv = await openCsv(input, options.delimiter, shell.interrupted)
  try {
    const map = mapFields(input.file, table, csv.header, maps)
    if (options.quiet !== true) tellColumns(shell, table, map)
    const rejectFormat = csvRejects(options.delimiter, csv.headerLine)
    return { source: csvRows(csv, map.fields, options.null), columns: map.columns, rejectFormat }
  } catch (error) {
    await csv.close()
    throw error
  }
}

function tellColumns(shell: Shell, table: TableSchema, map: ReturnType<typeof mapFields>): void {
  if (map.missing.length > 0) shell.say(`columns of ${table.name} that stay as they are: ${listed(map.missing)}`)
  if (map.ignored.length > 0) shell.say(`columns of the file that are ignored: ${listed(map.ignored)}`)
}

function listed(names: readonly string[]): string {
  return names
    .slice(0, 20)
    .map((name) => displayText(name.slice(0, 80)))
    .join(', ')
}

interface Work {
  readonly input: Input
  readonly source: RowSource
  readonly table: TableSchema
  readonly replicas: readonly string[]
  readonly columns: readonly number[]
  readonly rejects: Rejects
  readonly options: LoadOptions
  readonly started: number
  readonly outcome: Outcome
}

/** The rows, then the end of the session. An error of the file is kept: what came before it is flushed too. */
async function execute(shell: Shell, session: Session, work: Work): Promise<void> {
  const { options, started, outcome } = work
  try {
    await rowsInto(shell, session, work)
  } catch (error) {
    if (!(error instanceof MerganserError) || error.code === 'BUG') throw error
    if (error.code !== 'INTERRUPTED') outcome.error = error
  }
  outcome.report = await ending(shell, session, () => (performance.now() - started) / 1000, options.quiet ?? false)
}

async function rowsInto(shell: Shell, session: Session, work: Work): Promise<void> {
  const { input, source, table, options, outcome } = work
  const { Loader } = await import('../engine/load.ts')
  const { catalog } = session.context
  const loader: Loader = new Loader(session, {
    table: catalog.table(table.name)!,
    replicas: work.replicas.map((name) => catalog.replica(name)!),
    columns: work.columns,
  })
  const quiet = options.quiet ?? false
  const progress = await startProgress(shell, { unit: 'rows', total: input.bytes, quiet })
  try {
    await loadRows(loader, source, {
      file: input.file,
      rejects: work.rejects,
      dryRun: options.dryRun ?? false,
      most: options.maxRejects ?? Infinity,
      signal: shell.interrupted,
      counts: outcome,
      progress: (bytes, rows) => {
        progress.update(bytes, rows)
      },
      rejected: (line, reason) => {
        if (!quiet) shell.say(`${displayText(input.file)}:${String(line)}: ${displayText(reason)}`)
      },
    })
  } finally {
    progress.stop()
    const { rows, rejected } = outcome
    const early = outcome.whole === true ? '' : ' ended early'
    loader.end(`load ${JSON.stringify(input.file)} rows ${String(rows)} rejected ${String(rejected)}${early}`)
    if (loader.unseen.length > 0 && !quiet) tellUnseen(shell, session, work.replicas[0]!, loader)
  }
}

function tellUnseen(shell: Shell, session: Session, origin: string, { unseen }: Loader): void {
  const names = unseen.map((id) => session.context.replicas[id]!.name).join(', ')
  const verb = unseen.length === 1 ? "hasn't" : "haven't"
  shell.say(
    `${names} ${verb} seen all that ${origin} wrote before: later merges may count conflicts over loaded rows ` +
      `(a FULL_SYNC before a load avoids it)`,
  )
}

async function tell(
  shell: Shell,
  file: string,
  rejects: string,
  options: LoadOptions,
  outcome: Outcome,
): Promise<void> {
  const { report, error, rows, rejected } = outcome
  if (report !== undefined) {
    if (options.report !== undefined) {
      const load = { file, rows: rows + rejected, loaded: rows, rejected, ...(rejected > 0 ? { rejects } : {}) }
      const status = rejected > 0 ? Math.max(report.exitStatus, ExitStatus.difference) : report.exitStatus
      await writeOutput(shell, options.report, `${JSON.stringify({ ...report, exitStatus: status, load }, null, 2)}\n`)
    }
    if (options.quiet !== true) {
      shell.say(`${several(rows + rejected, 'row')} read, ${counted(rows)} loaded, ${counted(rejected)} rejected`)
    }
    const flushed = options.flush && options.dryRun !== true
    await showReport(shell, report, { ...options, operations: false, flushed })
  }
  if (rejected > 0) shell.problem(rowsRejected(rejects, options, outcome))
  if (error !== undefined) shell.problem(error)
  if (shell.interrupted.aborted) {
    shell.problem(
      new MerganserError('INTERRUPTED', `the load was interrupted after ${several(rows, 'row')}`, {
        advice: options.dryRun === true ? 'nothing was written' : 'what was loaded is durable; load the file again',
      }),
    )
  }
}

function rowsRejected(rejects: string, options: LoadOptions, { rows, rejected }: Outcome): MerganserError {
  const message = `${counted(rejected)} of ${several(rows + rejected, 'row')} ${rejected === 1 ? 'was' : 'were'} rejected`
  if (options.dryRun === true) return new MerganserError('ROWS_REJECTED', message)
  return new MerganserError('ROWS_REJECTED', message, {
    place: { file: rejects },
    advice: 'they are there with their lines and reasons: mend them and load that file',
  })
}

function sameMessage(a: unknown, b: unknown): boolean {
  return a === b || (a instanceof Error && b instanceof Error && a.message === b.message)
}

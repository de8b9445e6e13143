import type { Command } from 'commander'
import type { Config } from '../config/config.ts'
import { MerganserError } from '../core/errors.ts'
import type { CopyResult } from '../engine/copy.ts'
import type { Session } from '../engine/session.ts'
import type { ReplicaSetup } from '../engine/setup.ts'
import { addConfigOptions, examples, nonEmpty, type ConfigOptions } from './options.ts'
import { startProgress } from './progress.ts'
import { loadConfiguration, replicaNamed, tableNamed, withSession } from './session.ts'
import type { Shell } from './shell.ts'
import { counted, several } from './table.ts'

interface CopyOptions extends ConfigOptions {
  readonly table?: string
  readonly restart?: boolean
  readonly quiet?: boolean
}

export function copyCommand(program: Command, shell: Shell): void {
  const command = program
    .command('copy')
    .description("fill a replica's database from another one's at bulk speed")
    .argument('<from>', 'replica or alias whose database is read')
    .argument('<to>', 'replica or alias whose database gets the rows')
  addConfigOptions(command)
    .option('--table <name>', 'only this table (all of them)', nonEmpty)
    .option('--restart', 'begin anew, whatever an interrupted copy has done')
    .option('--quiet', 'show no progress and no summary; errors always')
    .addHelpText(
      'after',
      examples([
        ['merganser copy POSTGRESQL HIVE', 'all tables'],
        ['merganser copy SQL MONGO --table grades', 'one of them'],
      ]) +
        `

Rows keep their stamps, deleted ones theirs, and are joined with what is there: nothing is replaced by something
older, and to copy twice is the same as once. What the first database holds is copied; \`merganser sync\` brings
there first what its oplog has and it has not yet. The rows stand in no oplog: it is the database that has them.
A copy that was interrupted, in whatever way, goes on where it was. Rows that the second database can't hold are
left out and listed with the reason in a file in the state directory.
Exit status: 0 done, 1 rows or values were left out, 2 the input is wrong, 3 a database is away or refused, 4 the
state on disk is damaged or locked, 130 interrupted.`,
    )
    .action((from: string, to: string, options: CopyOptions) => copy(shell, from, to, options))
}

async function copy(shell: Shell, fromName: string, toName: string, options: CopyOptions): Promise<void> {
  const config = await loadConfiguration(shell, options)
  const from = replicaNamed(config, fromName)
  const to = replicaNamed(config, toName)
  const [{ checkCopy }, { configuredConnector }] = await Promise.all([
    import('../engine/copy.ts'),
    import('../index.ts'),
  ])
  checkCopy(from.name, to.name)
  const tables = options.table === undefined ? config.tables : [tableNamed(config, options.table)]
  const source = await configuredConnector(from)
  shell.takeInterrupts('interrupted: ending after the rows that are being written; once more ends at once')
  // Of the other replicas neither logs nor databases are needed.
  const only: Config = { ...config, replicas: [to] }
  await withSession(shell, only, {}, async (session) => {
    await tellBefore(shell, session, source, options)
    for (const { name } of tables) {
      if (shell.interrupted.aborted) break
      await copyOne(shell, session, source, name, options)
    }
  })
  if (!shell.interrupted.aborted) return
  shell.problem(
    new MerganserError('INTERRUPTED', 'the copy was interrupted', {
      advice: 'what was copied is durable; the same command goes on behind it',
    }),
  )
}

/** What should be known of the first database. */
async function tellBefore(
  shell: Shell,
  session: Session,
  { name, connector, options }: ReplicaSetup,
  { quiet }: CopyOptions,
): Promise<void> {
  if (quiet === true) return
  const [{ pendingRecords }, { databaseDirectory }] = await Promise.all([
    import('../engine/copy.ts'),
    import('../engine/opening.ts'),
  ])
  const directory = databaseDirectory(session.setup.stateDirectory, name)
  if ((await connector.absent?.(options, directory)) === true) shell.say(`${name}: its database is not there yet`)
  const pending = await pendingRecords(session.setup, name)
  if (pending === 0) return
  shell.say(
    `${name}: ${several(pending, 'record')} of its oplog ${pending === 1 ? "isn't" : "aren't"} in its database yet ` +
      `and so not copied; run \`merganser sync\` before a copy, or MERGE afterwards`,
  )
}

async function copyOne(
  shell: Shell,
  session: Session,
  from: ReplicaSetup,
  table: string,
  { restart = false, quiet = false }: CopyOptions,
): Promise<void> {
  const { copyTable } = await import('../engine/copy.ts')
  const started = performance.now()
  const progress = await startProgress(shell, { unit: 'rows', total: undefined, quiet })
  let result: CopyResult
  try {
    result = await copyTable(session, {
      from,
      table: session.context.catalog.table(table)!,
      restart,
      signal: shell.interrupted,
      progress: (rows) => {
        progress.update(0, rows)
      },
    })
  } finally {
    progress.stop()
  }
  const seconds = (performance.now() - started) / 1000
  if (!quiet) shell.say(summary(table, result, seconds))
  tellLeftOut(shell, session, table, result)
}

function summary(table: string, { rows, resumed, written, rejected }: CopyResult, seconds: number): string {
  const here = rows - resumed
  const rate = seconds > 0 ? `, ${counted(Math.round(here / seconds))} rows/s` : ''
  const before = resumed === 0 ? '' : ` (${counted(resumed)} of them before it was interrupted)`
  return (
    `${table}: ${several(rows, 'row')} read${before}, ${counted(written)} written, ` +
    `${counted(rejected)} rejected, in ${seconds.toFixed(1)} s${rate}`
  )
}

function tellLeftOut(shell: Shell, session: Session, table: string, result: CopyResult): void {
  const { rows, rejected, foreign, rejects } = result
  const place = { replica: session.context.replicas[0]!.name, table }
  if (rejected > 0) {
    const message = `${counted(rejected)} of ${several(rows, 'row')} can't be held exactly and ${rejected === 1 ? 'was' : 'were'} left out`
    shell.problem(
      new MerganserError('ROWS_REJECTED', message, {
        place: { ...place, file: rejects },
        advice: 'they are there with their values, stamps and reasons',
      }),
    )
  }
  if (foreign === 0) return
  const message = `${several(foreign, 'value')} ${foreign === 1 ? 'has' : 'have'} another value there under the same stamp`
  shell.problem(
    new MerganserError('NOT_CONVERGED', message, {
      place,
      advice: 'they stay as they are: see them with `merganser diff`, settle them with `merganser repair --prefer`',
    }),
  )
}
